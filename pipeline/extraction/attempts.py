"""Try in smaller batches what did not fit into the memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from pipeline.errors import OutOfMemoryError
from pipeline.extraction.batch_sizes import remember
from pipeline.extraction.filling import OnNote
from pipeline.extraction.job import ExtractJob

T = TypeVar("T")


def halve_until_it_fits(
    job: ExtractJob, attempt: Callable[[ExtractJob], T], *, on_note: OnNote | None = None
) -> T:
    """Do something, in batches of half the size each time that the memory is full.

    A size that was not asked for is remembered for the next time.

    Parameters
    ----------
    job : ExtractJob
    attempt : callable
        Opens the engine itself, and lets go of it: where the memory is short, no two of them fit.
    on_note : callable, optional

    Raises
    ------
    OutOfMemoryError
        If not even one image at a time fits.
    """
    while True:
        try:
            return attempt(job)
        except OutOfMemoryError as exc:
            size = exc.batch_size
            if size == 1:
                raise
        job = replace(job, fitting=size // 2)
        if job.config.batch_size is None:
            remember(job.config.cache_dir, size // 2, **job.place)
        if on_note:
            on_note(f"Out of memory with batches of {size}: going on with {size // 2}.")

"""From images to transfer values, in order and in batches, as extraction computes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OutOfMemoryError
from pipeline.extraction.job import ExtractJob, OpenEngine
from pipeline.extraction.ledger import Stopwatch
from pipeline.extraction.stream import ComputedRows, Rows
from pipeline.images import DecodedImage, Geometry, GivenImage, read_given
from pipeline.records import OnProgress, Status
from pipeline.views import average_views

ROWS_A_TURN = 64
"""How many answers come at once, or a batch, whichever is more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Computed:
    """Transfer values of some images, in order.

    Attributes
    ----------
    start : int
        Number of the first image.
    values : float32 ndarray of shape (n_images, n_features)
        Views averaged; of no meaning where the status is not OK.
    status : uint8 ndarray of shape (n_images,)
        `Status` values.
    """

    start: int
    values: NDArray[np.float32]
    status: NDArray[np.uint8]


def compute_values(
    job: ExtractJob,
    images: Sequence[GivenImage],
    open_engine: OpenEngine,
    *,
    on_progress: OnProgress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[Computed]:
    """Yield the transfer values of images as they come.

    A batch that does not fit into the memory is tried again in halves; nothing is remembered of
    it. Whichever images are beside an image, its values are the same, bit for bit, as long as
    batches are of the same size.

    Parameters
    ----------
    job : ExtractJob
        Its manifest counts for nothing.
    images : sequence of str, Path or uint8 ndarray of shape (height, width, 3)
    open_engine : callable
        Builds the engine; called once, or again for smaller batches.
    on_progress : callable, optional
        Called with (images done, images in all).
    on_note : callable, optional
        Called with sentences for the user.

    Raises
    ------
    OutOfMemoryError
        If not even one image at a time fits.
    BackboneError
        If the network cannot be run.
    """
    done = 0
    if on_progress:
        on_progress(0, len(images))
    while done < len(images):
        try:
            for part in _compute_from(done, job, images, open_engine):
                yield part
                done = part.start + len(part.status)
                if on_progress:
                    on_progress(done, len(images))
        except OutOfMemoryError as exc:
            if exc.batch_size == 1:
                raise
            size = exc.batch_size // 2
            job = replace(job, fitting=size)
            if on_note:
                on_note(f"Out of memory with batches of {exc.batch_size}: going on with {size}.")


def _compute_from(
    start: int, job: ExtractJob, images: Sequence[GivenImage], open_engine: OpenEngine
) -> Iterator[Computed]:
    engine = open_engine(job)

    def read(row: int, geometries: Sequence[Geometry]) -> DecodedImage:
        return read_given(images[row], geometries)

    size = engine.batch_size
    batches = (np.arange(i, min(i + size, len(images))) for i in range(start, len(images), size))
    turn = size * math.ceil(ROWS_A_TURN / size)
    with closing(
        ComputedRows(job, engine, batches, Stopwatch(), lambda _: None, read=read)
    ) as computed:
        for first in range(start, len(images), turn):
            yield _finish(first, computed.take(min(turn, len(images) - first)), job)


def _finish(start: int, rows: Rows, job: ExtractJob) -> Computed:
    """Round values as the store keeps them, and say which rows are none."""
    with np.errstate(over="ignore"):  # of float16: it becomes infinite, and is refused
        values = rows.values.astype(job.recipe.dtype).astype(np.float32)
    status = rows.status.copy()
    status[(status == Status.OK) & ~np.isfinite(values).all(axis=1)] = Status.NOT_FINITE
    values[status != Status.OK] = 0
    return Computed(
        start=start, values=average_views(values, n_views=job.recipe.views), status=status
    )

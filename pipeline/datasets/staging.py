"""Write a folder under a temporary name and move it into place whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.durable import sync


@contextmanager
def stage_folder(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `final` if the block succeeds, and vanishes otherwise.

    It lies beside `final`, on the same file system, and is hidden, so that a kill at any moment
    leaves nothing that looks like a data set. What an earlier kill left there is removed first.

    Parameters
    ----------
    final : Path
        Must not exist, or be an empty folder.

    Raises
    ------
    OSError
        If the folder cannot be written, or `final` holds files.
    """
    staging = final.parent / f".{final.name}.partial"
    remove_folder(staging)
    staging.mkdir(parents=True)
    try:
        yield staging
        # Names must not reach the disk before what they name: otherwise a power cut could leave
        # a whole folder of empty files. One call does for all of them.
        if hasattr(os, "sync"):
            os.sync()
        if final.is_dir():
            final.rmdir()
        staging.rename(final)
        sync(final.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def remove_folder(folder: Path) -> None:
    """Remove a folder of our own and all it holds, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)

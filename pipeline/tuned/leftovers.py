"""What trainings that were killed or given up left beside the folders of tuned weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.durable import remove
from pipeline.tuned.folder import INFO, lock_tuned, work_path
from pipeline.tuned.state import STATE, count_epochs

_HEX = "[0-9a-f]{8}"
_FOLDER = rf"(?P<folder>[^./\n][^/\n]*-{_HEX}\.finetune-{_HEX})"
_WORK = re.compile(rf"\.{_FOLDER}\.work")
_PARTIAL = re.compile(rf"\.{_FOLDER}\.{_HEX}\.partial")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLeft:
    """Something that a training left.

    Attributes
    ----------
    path : Path
    folder : Path
        Of the tuned weights, whose lock guards it; it may not be there.
    n_epochs : int
        After how many epochs the same command goes on; 0 if nothing needs it any more.
    """

    path: Path
    folder: Path
    n_epochs: int


def find_trainings_left(dataset_folder: Path) -> list[TrainingLeft]:
    """Return what trainings left in the folder of a data set, sorted by path; links are not."""
    found = []
    for path in sorted(dataset_folder.glob(".*.finetune-*")):
        for pattern in (_WORK, _PARTIAL):
            match = pattern.fullmatch(path.name)
            if match and path.is_dir() and not path.is_symlink():
                folder = path.with_name(match["folder"])
                n_epochs = _count_resumable(folder) if pattern is _WORK else 0
                found.append(TrainingLeft(path=path, folder=folder, n_epochs=n_epochs))
    return found


def remove_training_left(left: TrainingLeft) -> None:
    """Remove it, unless a training is going on.

    Raises
    ------
    CacheLockedError
        If one is.
    CacheError
        If the file system has no locks.
    OSError
    """
    with lock_tuned(left.folder):
        remove(left.path)


def _count_resumable(folder: Path) -> int:
    """Return after how many epochs the training into a folder goes on.

    What is older than the weights that it ended with was only not removed in time; what is newer is
    a training with --overwrite.
    """
    work = work_path(folder)
    try:
        is_done = (folder / INFO).stat().st_mtime_ns >= (work / STATE).stat().st_mtime_ns
    except OSError:  # one of them is not there
        is_done = False
    return 0 if is_done else count_epochs(work)

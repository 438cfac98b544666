"""Copy photos into folders that are called like their answers."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.durable import make_folder, partial_path, remove, step
from pipeline.errors import DatasetError
from pipeline.predicting.answering import Answered
from pipeline.predicting.places import last_name, name_folders, number_names
from pipeline.records import UNKNOWN, Answer

# What file systems without hard links say.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


SECONDS_UNTIL_LEFT = 600
"""After which a half copy is of a killed command, and not of one that runs beside this one."""

_PARTIAL = "photo"


class Sorter:
    """Copies photos as they are answered.

    A photo gets its name at once, when all of it is there: what is killed leaves no half photo
    under any photo's name. Nothing that is there is ever written over; a photo of a name that is
    taken gets a number, unless it is the same photo, so that the same command can be run again.

    Parameters
    ----------
    to : Path
        Folder; made when there is something to copy.
    class_names : sequence of str
    names : mapping of str to str, optional
        What the folders of classes are called, if otherwise.

    Attributes
    ----------
    n_copied, n_there, n_left : int
        Photos copied; there already; and not copied, since nothing can be said of them.
    """

    def __init__(
        self, to: Path, class_names: Sequence[str], *, names: Mapping[str, str] | None = None
    ) -> None:
        self.n_copied = self.n_there = self.n_left = 0
        self._to = to
        self._used: dict[str, None] = {}
        self._begun: set[Path] = set()
        self._wanted = {name: (names or {}).get(name, name) for name in class_names}
        self._folders = dict(zip(class_names, name_folders(self._wanted.values()), strict=True))

    def take(self, part: Answered) -> None:
        """Copy the photos of some answers.

        Raises
        ------
        DatasetError
            If one cannot be copied.
        """
        for answer in part.answers:
            if answer.reason:
                self.n_left += 1
            elif self._copy(answer):
                self.n_copied += 1
            else:
                self.n_there += 1

    @property
    def renamed(self) -> dict[str, str]:
        """Folders that could not be called as the classes whose photos they got, by class."""
        used = {self._wanted[name]: self._folders[name] for name in self._used}
        return {name: folder for name, folder in used.items() if name != folder}

    def _choose_folder(self, answer: Answer) -> str:
        if answer.is_unknown:
            return UNKNOWN
        self._used.setdefault(answer.classes[0])
        return self._folders[answer.classes[0]]

    def _copy(self, answer: Answer) -> bool:
        """Copy a photo; return False if it is there."""
        folder = self._to / self._choose_folder(answer)
        try:
            make_folder(folder)
            if folder not in self._begun:
                _remove_left(folder)
                self._begun.add(folder)
            return _copy_new(Path(answer.path), folder)
        except OSError as exc:
            raise DatasetError(
                f"{answer.path!a} cannot be copied into {folder}: {exc}. What was copied stays: "
                "make room or mend it, then run the same command to go on."
            ) from exc


def _copy_new(photo: Path, folder: Path) -> bool:
    """Copy a photo into a folder under its name, or a number behind it if that is taken."""
    partial: Path | None = None
    try:
        for name in number_names(last_name(str(photo))):
            target = folder / name
            if os.path.lexists(target):
                if _is_same(photo, target):
                    return False
                continue
            if partial is None:
                partial = partial_path(folder / _PARTIAL)
                step("write", target)
                shutil.copy2(photo, partial)
            step("rename", target)
            if _take_name(partial, target):
                return True
    finally:
        if partial is not None:
            with contextlib.suppress(OSError):
                remove(partial)
    return False


def _remove_left(folder: Path) -> None:
    """Remove the half copies of killed commands: those that nobody has written to for long."""
    before = time.time() - SECONDS_UNTIL_LEFT
    for path in list(folder.glob(f".{_PARTIAL}.????????.partial")):
        with contextlib.suppress(OSError):  # another command was quicker, or it is in nobody's way
            if path.lstat().st_ctime < before:
                remove(path)


def _is_same(photo: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(photo, target, shallow=False)


def _take_name(partial: Path, target: Path) -> bool:
    """Give a copy its name; return False if somebody else took it meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            return False
        partial.rename(target)
    return True

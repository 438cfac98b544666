"""Find the file that a table means, where it left out the extension or the sub-folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.datasets.listing import SPLIT_NAMES
from pipeline.datasets.scan import IMAGE_EXTENSIONS
from pipeline.records import Split

SUBFOLDERS = ("", "train", "images", "image", "imgs", "img", "jpg", "train_images", "data", "test")

_ENDINGS = tuple(ending for e in IMAGE_EXTENSIONS for ending in (e, e.upper()))


class FileFinder:
    """Looks paths up in folder listings read once each, not with ten questions for each file.

    Parameters
    ----------
    root : Path
        Folder that relative paths count from.
    stem : str
        The table's own name: `train.csv` often lists the files in `train/`, and so does
        `trainLabels.csv`.
    """

    def __init__(self, root: Path, *, stem: str) -> None:
        self._root = root
        self._names: dict[str, frozenset[str]] = {}
        self._of_split = _find_split_folders(root)
        self._of_table = (stem,)
        self._split_of_table = _split_of_stem(stem)
        of_splits = (name for names in self._of_split.values() for name in names)
        self._subfolders = tuple(dict.fromkeys(("", stem, *SUBFOLDERS, *of_splits)))

    def find(self, path: str, *, split: Split = Split.NONE) -> tuple[str, ...]:
        """Return what `path` may mean on disk, relative to the root: no file, one or several.

        The path as it is written comes first, then the folders of the row's own split, then those
        that the table is called after, and then all likely folders alike.
        """
        for candidate in dict.fromkeys((path, path.strip(), path.strip().replace("\\", "/"))):
            for subfolders in self._order(candidate, split):
                found = self._find_in(subfolders, candidate)
                if found:
                    return found
        return ()

    def describe(self) -> str:
        """Return the folders that are looked in, those that exist."""
        folders = (self._root / name for name in self._subfolders)
        return ", ".join(str(folder) for folder in folders if folder.is_dir())

    def _order(self, path: str, split: Split) -> list[tuple[str, ...]]:
        """Return groups of folders to look in, each only if the ones before hold nothing."""
        folder, _, name = path.rpartition("/")
        if path.startswith("../") or name in self._list(folder):
            return [("",)]
        if split:
            return [self._of_split.get(split, ()), self._of_table, self._subfolders]
        of_split = self._of_split.get(self._split_of_table, ())
        return [self._of_table, of_split, self._subfolders]

    def _find_in(self, subfolders: Iterable[str], path: str) -> tuple[str, ...]:
        folder, _, name = path.rpartition("/")
        found: list[str] = []
        for subfolder in subfolders:
            where = os.path.normpath(f"./{subfolder}/{folder}")
            found += (os.path.normpath(f"{where}/{match}") for match in self._match(where, name))
        return tuple(found) if len(found) < 2 else self._drop_same(found)

    def _drop_same(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Drop what is one file by another path: through a link, or `train` beside `Train`."""
        files: dict[object, str] = {}
        for path in paths:
            try:
                found = os.stat(self._root / path)  # noqa: PTH116
                files.setdefault((found.st_dev, found.st_ino), path)
            except OSError:
                files.setdefault(path, path)
        return tuple(files.values())

    def _match(self, folder: str, name: str) -> list[str]:
        """Return the file of that name or, without it, all that only add an extension."""
        names = self._list(folder)
        if not names or name in names:
            return [name] if names else []
        return [name + ending for ending in _ENDINGS if name + ending in names]

    def _list(self, folder: str) -> frozenset[str]:
        if folder not in self._names:
            try:
                with os.scandir(self._root / folder) as entries:
                    # Neither a pipe nor a device: to open one would wait or read for ever.
                    names = frozenset(entry.name for entry in entries if entry.is_file())
            except OSError:
                names = frozenset()
            self._names[folder] = names
        return self._names[folder]


def _find_split_folders(root: Path) -> dict[Split, tuple[str, ...]]:
    """Return the folders below `root` that are called like a split, in any spelling."""
    folders: dict[Split, tuple[str, ...]] = {}
    try:
        names = sorted(os.listdir(root))  # noqa: PTH208 - only the names are wanted
    except OSError:
        return folders
    for name in names:
        split = SPLIT_NAMES.get(name.lower())
        if split and (root / name).is_dir():
            folders[split] = (*folders.get(split, ()), name)
    return folders


def _split_of_stem(stem: str) -> Split:
    """Return the split that a table is called after: `train_labels`, `trainLabels`."""
    for name, split in SPLIT_NAMES.items():
        rest = stem[len(name) :]
        if stem.lower().startswith(name) and not rest[:1].islower():
            return split
    return Split.NONE

"""Find the file that a table means, where it left out the extension or the sub-folder."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.datasets.scan import IMAGE_EXTENSIONS

SUBFOLDERS = ("", "train", "images", "image", "imgs", "img", "jpg", "train_images", "data", "test")


class FileFinder:
    """Looks paths up in folder listings read once each, not with ten questions for each file.

    Parameters
    ----------
    root : Path
        Folder that relative paths count from.
    stem : str
        The table's own name: `train.csv` often lists the files in `train/`.
    """

    def __init__(self, root: Path, *, stem: str) -> None:
        self._root = root
        self._subfolders = tuple(dict.fromkeys(("", stem, *SUBFOLDERS)))
        self._names: dict[str, frozenset[str]] = {}

    def find(self, path: str) -> str | None:
        """Return `path` as it lies on disk, relative to the root, or None."""
        for candidate in dict.fromkeys((path, path.strip(), path.strip().replace("\\", "/"))):
            folder, _, name = candidate.rpartition("/")
            for subfolder in ("",) if candidate.startswith("../") else self._subfolders:
                where = "/".join(filter(None, (subfolder, folder)))
                match = self._match(where, name)
                if match is not None:
                    return os.path.normpath(f"{where}/{match}" if where else match)
        return None

    def describe(self) -> str:
        """Return the folders that are looked in, those that exist."""
        folders = (self._root / name for name in self._subfolders)
        return ", ".join(str(folder) for folder in folders if folder.is_dir())

    def _match(self, folder: str, name: str) -> str | None:
        names = self._list(folder)
        if name in names:
            return name
        for extension in IMAGE_EXTENSIONS:
            for spelling in (extension, extension.upper()):
                if name + spelling in names:
                    return name + spelling
        return None

    def _list(self, folder: str) -> frozenset[str]:
        if folder not in self._names:
            try:
                with os.scandir(self._root / folder) as entries:
                    names = frozenset(entry.name for entry in entries if entry.is_file())
            except OSError:
                names = frozenset()
            self._names[folder] = names
        return self._names[folder]

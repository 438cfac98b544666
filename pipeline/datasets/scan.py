"""Walk a folder: which files count, which are passed over and why."""

# ruff: noqa: PTH112, PTH113, PTH118, PTH122
# Paths are strings here: a Path for each of 60,000 files takes longer than the walk itself.

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DatasetError

IMAGE_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".jpe",
    ".jfif",
    ".tif",
    ".tiff",
    ".avif",
    ".heic",
    ".heif",
    ".svg",
    ".jp2",
)
"""What looks like an image by its name. Decoding decides by content, and lists what it skips."""

SYSTEM_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx"})

HIDDEN = "hidden"
SYSTEM = "left by the operating system"
OUTSIDE = "link out of the data set"
LOOP = "link loop"
BROKEN = "broken link"
SPECIAL = "not a regular file"
EMPTY = "empty folder"
UNLISTABLE = "folder that cannot be read"


@dataclass(frozen=True, slots=True)
class Tree:
    """What lies below a folder.

    Attributes
    ----------
    files : tuple of str
        Relative POSIX paths of the files that count.
    ignored : Counter
        How many entries were passed over, by reason.
    """

    files: tuple[str, ...]
    ignored: Counter[str]


def looks_like_image(name: str) -> bool:
    """Tell whether a file name ends as image files do."""
    return os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS


def scan_folder(root: Path) -> Tree:
    """List the files below `root`, following links that stay inside it.

    Parameters
    ----------
    root : Path
        Resolved, so that what a link points at can be compared with it.

    Raises
    ------
    DatasetError
        If `root` itself cannot be listed.
    """
    ignored: Counter[str] = Counter()
    try:
        os.scandir(root).close()
    except OSError as exc:
        message = f"Cannot list the folder {root}: {exc.strerror}. Check its permissions."
        raise DatasetError(message) from exc
    top = os.fspath(root)
    return Tree(tuple(_walk(top, "", (top,), top, ignored)), ignored)


def has_image(root: Path) -> bool:
    """Tell whether any file below `root` looks like an image; stops at the first."""
    if not root.is_dir():
        return False
    top = os.fspath(root.resolve())
    return any(looks_like_image(name) for name in _walk(top, "", (top,), top, Counter()))


def _walk(
    folder: str, prefix: str, above: tuple[str, ...], root: str, ignored: Counter[str]
) -> Iterator[str]:
    """Yield the files below `folder`; `above` are the real folders on the way down to it."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        ignored[UNLISTABLE] += 1
        return
    kept = 0
    for entry in found:
        reason = _reason_to_ignore(entry, above, root)
        if reason:
            ignored[reason] += 1
            continue
        kept += 1
        path = prefix + entry.name
        if entry.is_dir():
            real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            yield from _walk(real, path + "/", (*above, real), root, ignored)
        else:
            yield path
    if not kept and prefix:
        ignored[EMPTY] += 1


def _reason_to_ignore(entry: os.DirEntry[str], above: tuple[str, ...], root: str) -> str:
    if entry.name.startswith("."):
        return HIDDEN
    if entry.name.lower() in SYSTEM_NAMES:
        return SYSTEM
    if entry.is_symlink():
        return _reason_to_ignore_link(entry.path, above, root)
    if not entry.is_dir() and not entry.is_file():
        return SPECIAL
    return ""


def _reason_to_ignore_link(link: str, above: tuple[str, ...], root: str) -> str:
    try:
        target = os.path.realpath(link, strict=True)
    except OSError as exc:
        return BROKEN if isinstance(exc, FileNotFoundError) else LOOP
    if target != root and not target.startswith(os.path.join(root, "")):
        return OUTSIDE
    if os.path.isdir(target):
        # A folder that is on the way down to this link would be walked for ever.
        return LOOP if target in above else ""
    return "" if os.path.isfile(target) else SPECIAL

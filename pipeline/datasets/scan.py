"""Walk a folder: which files count, which are passed over and why."""

# ruff: noqa: PTH112, PTH113, PTH118, PTH122
# Paths are strings here: a Path for each of 60,000 files takes longer than the walk itself.

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")

SYSTEM_NAMES = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "__macosx",
        "lost+found",
        "$recycle.bin",
        "system volume information",
    }
)

HIDDEN = "hidden"
SYSTEM = "left by the operating system"
OUTSIDE = "link out of the data set"
LOOP = "link loop"
BROKEN = "broken link"
SPECIAL = "not a regular file"
EMPTY = "empty folder"
AGAIN = "link to a folder that another link leads to"

MAX_DEPTH = 200
"""How many folders may lie inside each other, far from where a path is too long to open."""


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


def begins_like_image(path: str) -> bool:
    """Tell whether a file's first bytes are those of a JPEG, PNG, GIF, BMP or WebP."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            start = file.read(16)
    except OSError:
        return False
    if start.startswith(b"BM"):  # two letters are few: the four bytes reserved in a BMP are zero
        return start[6:10] == bytes(4)
    return start.startswith(_MAGIC) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def scan_folder(root: Path) -> Tree:
    """List the files below `root`, following links that stay inside it.

    Through links, each folder is visited once: 26 folders that each hold two links to the next
    are 26 folders, and not 2^25 paths.

    Parameters
    ----------
    root : Path
        Resolved, so that what a link points at can be compared with it.

    Raises
    ------
    DatasetError
        If `root` or any folder below it cannot be listed, since a class would go missing without
        a word, or if folders lie deeper than `MAX_DEPTH`.
    """
    ignored: Counter[str] = Counter()
    return Tree(tuple(_walk(os.fspath(root), ignored)), ignored)


def has_image(root: Path) -> bool:
    """Tell whether any file below `root` looks like an image; stops at the first.

    A folder that cannot be listed counts as well: reading it will say what is wrong with it.
    """
    if not root.is_dir():
        return False
    try:
        return any(map(looks_like_image, _walk(os.fspath(root.resolve()), Counter())))
    except DatasetError:
        return True


class _Folder(NamedTuple):
    """A folder to walk: where it really is, its path below the root, the real ones above it."""

    real: str
    prefix: str
    above: tuple[str, ...]


def _walk(root: str, ignored: Counter[str]) -> Iterator[str]:
    """Yield the files below `root`: first those in ordinary folders, then those behind links.

    The nearest link to a folder wins, by name among equals, however the disk orders them.
    """
    waiting = deque([_Folder(root, "", (root,))])
    visited: set[str] = set()
    while waiting:
        folder = waiting.popleft()
        if folder.real in visited:
            ignored[AGAIN] += 1
            continue
        visited.add(folder.real)
        links: list[_Folder] = []
        yield from _walk_ordinary(folder, root, ignored, links)
        waiting.extend(sorted(links, key=lambda link: os.fsencode(link.prefix)))


def _walk_ordinary(
    top: _Folder, root: str, ignored: Counter[str], links: list[_Folder]
) -> Iterator[str]:
    """Yield the files below `top`; put the folders that links point at into `links`."""
    stack = [top]
    while stack:
        folder = stack.pop()
        kept = 0
        for entry in _list(folder):
            reason = _reason_to_ignore(entry, folder.above, root)
            if reason:
                ignored[reason] += 1
                continue
            kept += 1
            path = folder.prefix + entry.name
            if not entry.is_dir():
                yield path
            elif entry.is_symlink():
                real = os.path.realpath(entry.path)
                links.append(_Folder(real, path + "/", (*folder.above, real)))
            else:
                stack.append(_Folder(entry.path, path + "/", (*folder.above, entry.path)))
        if not kept and folder.prefix:
            ignored[EMPTY] += 1


def _list(folder: _Folder) -> list[os.DirEntry[str]]:
    if len(folder.above) > MAX_DEPTH:
        raise DatasetError(
            f"Folders are nested more than {MAX_DEPTH} deep: {folder.prefix[:200]!a}… in "
            f"{folder.above[0]}. Expected class folders near the top. Move them up, or move what "
            "is nested so deeply away."
        )
    try:
        with os.scandir(folder.real) as entries:
            return list(entries)
    except OSError as exc:
        raise _cannot_list(folder.real, exc) from exc


def _cannot_list(folder: str, exc: OSError) -> DatasetError:
    return DatasetError(
        f"Cannot list the folder {folder}: {exc.strerror}. Its images would be missing from the "
        f"data set. Check its permissions (ls -ld), or move it away."
    )


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
    except PermissionError as exc:
        target = os.path.realpath(link)
        if _is_inside(target, root):
            raise _cannot_list(target, exc) from exc
        return OUTSIDE
    except OSError as exc:
        return BROKEN if isinstance(exc, FileNotFoundError) else LOOP
    if not _is_inside(target, root):
        return OUTSIDE
    if os.path.isdir(target):
        # A folder that is on the way down to this link would be walked for ever.
        return LOOP if target in above else ""
    return "" if os.path.isfile(target) else SPECIAL


def _is_inside(target: str, root: str) -> bool:
    return target == root or target.startswith(os.path.join(root, ""))

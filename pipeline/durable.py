"""What makes a write outlast a kill and a power cut.

A file is written under a temporary name, flushed and renamed, and its folder is flushed: it is
there whole or not at all. Every step of that goes through `step`, which tests replace to kill the
process, to fail, or to record what has reached the disk.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path


def step(action: str, path: Path) -> None:
    """Do nothing; called before each durable step, from which it could be the last one.

    Parameters
    ----------
    action : str
        "mkdir", "write", "rename", "sync" or "remove".
    path : Path
        What is made, replaced, flushed or removed.
    """


def write_file(
    path: Path, data: bytes | bytearray | memoryview, *, within: Path | None = None
) -> None:
    """Put a file in place whole, flushed, with its folder; missing folders are made.

    Parameters
    ----------
    path : Path
    data : bytes-like
    within : Path, optional
        A folder above the file that is not made anew if somebody deleted it.

    Raises
    ------
    OSError
        With the path and the number of bytes. Nothing is left behind.
    """
    make_folder(path.parent, within=within)
    partial = partial_path(path)
    try:
        step("write", path)
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        rename(partial, path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        words = f"{exc.strerror or exc} (writing {len(data):,} bytes)"
        raise OSError(exc.errno, words, str(path)) from exc
    sync(path.parent)


def partial_path(path: Path) -> Path:
    """Return a new name beside `path`, under which nothing is looked for."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def make_folder(path: Path, *, within: Path | None = None) -> None:
    """Make a folder and those above it that are missing, but not `within`; flush their names."""
    if path.is_dir() or path == within:
        return
    make_folder(path.parent, within=within)
    step("mkdir", path)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def rename(source: Path, target: Path) -> None:
    """Rename a file, over another one if need be, or a folder; not flushed yet."""
    step("rename", target)
    source.replace(target)


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with all it holds, but nothing that a link leads to."""
    step("remove", path)
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def replace_folder(new: Path, target: Path) -> None:
    """Put a folder, of which all is flushed, in the place of another one, or of nothing.

    Raises
    ------
    OSError
        If one of them cannot be renamed; the old one is then where it was.
    """
    doomed = partial_path(target)
    replaces = target.exists()
    if replaces:
        rename(target, doomed)
    try:
        rename(new, target)
    except OSError:
        if replaces:
            rename(doomed, target)
        raise
    sync(target.parent)
    if replaces:
        with contextlib.suppress(OSError):  # it is in nobody's way
            remove(doomed)


def sync_folders(root: Path) -> None:
    """Flush the names in a folder, in all folders below it, and its own."""
    for folder, _, _ in os.walk(root):
        sync(Path(folder))
    sync(root.parent)


def sync(path: Path) -> None:
    """Flush one file, or the names in one folder, to the disk."""
    if os.name != "posix" and path.is_dir():  # Windows cannot, and needs not for folders
        return
    step("sync", path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Flush everything below a folder to the disk."""
    for folder, _, names in os.walk(root):
        for name in names:
            sync(Path(folder, name))
        sync(Path(folder))

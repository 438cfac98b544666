"""What lies beside a store's fits that nobody needs any more, and removing it."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from pipeline.artifacts.description import INFO, VOUCHED
from pipeline.artifacts.locking import LOCK, lock_fits
from pipeline.durable import partial_path, remove, rename, sync

PAGE = "report.html"
_PARTIAL = re.compile(r"\.[a-z-]+-[0-9a-f]{8}(\.map)?\.[0-9a-f]{8}\.partial")
_PARTIAL_PAGE = re.compile(r"\.(report\.html|doubt-[a-z-]+\.kept)\.[0-9a-f]{8}\.partial")
_KEPT = re.compile(r"doubt-[a-z-]+\.kept")
_MAP = re.compile(r"map-[a-z]+-[0-9a-f]{8}\.map")
_OURS = {INFO, *VOUCHED, PAGE}
_FIGURE = re.compile(r"figures/[\w-]+\.(png|svg|pdf)")


def count_fits(store: Path) -> int:
    """Return how many fits lie beside a store."""
    return len(_list_fits(store.with_suffix(".fits")))


def list_partial_fits(fits: Path) -> list[Path]:
    """Return what killed fits left half made in the folder of a store's fits."""
    return sorted(p for p in _list(fits) if _PARTIAL.fullmatch(p.name) and not p.is_symlink())


def list_partial_pages(folder: Path) -> list[Path]:
    """Return what killed writers left half made of a fit's page, or of what is kept beside it."""
    return sorted(p for p in _list(folder) if _PARTIAL_PAGE.fullmatch(p.name))


def list_half_made(fits: Path) -> list[Path]:
    """Return all that killed commands left half made beside a store's fits and in them."""
    pages = [page for fit in _list_fits(fits) for page in list_partial_pages(fit)]
    return [*list_partial_fits(fits), *pages]


def list_foreign(fits: Path) -> list[Path]:
    """Return what lies in the folder of a store's fits, or in a fit, and is not a fit's."""
    found = set(_list_fits(fits))
    beside = [
        path
        for path in _list(fits)
        if path.is_symlink() or not (path in found or path.name == LOCK or _is_beside(path))
    ]
    within = [path for fit in found for path in fit.rglob("*") if not _is_ours(path, fit)]
    return sorted([*beside, *within])


def remove_half_made(fits: Path) -> None:
    """Remove what killed commands left half made beside a store's fits and in them.

    Raises
    ------
    CacheLockedError
        If a fit is being written.
    OSError
    """
    with lock_fits(fits):
        for path in list_half_made(fits):
            remove(path)


def remove_fits(fits: Path) -> None:
    """Remove all fits of a store and their folder; what is not a fit's stays.

    Raises
    ------
    CacheLockedError
        If a fit is being written.
    OSError
    """
    with lock_fits(fits):
        for fit in _list_fits(fits):
            if all(_is_ours(path, fit) for path in fit.rglob("*")):
                # Nothing half deleted lies under a name that is read, not even after a power cut.
                doomed = partial_path(fit)
                rename(fit, doomed)
                sync(fits)
                remove(doomed)
        for path in _list(fits):
            if not path.is_symlink() and _is_beside(path):
                remove(path)
    if not [path for path in _list(fits) if path.name != LOCK]:
        with contextlib.suppress(OSError):  # a fit that just begins has made something in it
            (fits / LOCK).unlink(missing_ok=True)
            fits.rmdir()


def _list(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(folder.iterdir())


def _list_fits(fits: Path) -> list[Path]:
    return [
        path
        for path in _list(fits)
        if not path.name.startswith(".") and not path.is_symlink() and (path / INFO).is_file()
    ]


def _is_beside(path: Path) -> bool:
    """Whether a name is that of a map, or of what was left half made, in the folder of the fits."""
    return bool(_PARTIAL.fullmatch(path.name) or _MAP.fullmatch(path.name))


def _is_ours(path: Path, fit: Path) -> bool:
    name = path.relative_to(fit).as_posix()
    if path.is_symlink():
        return False
    if path.is_dir():
        return name == "figures"
    return name in _OURS or any(
        pattern.fullmatch(name) for pattern in (_FIGURE, _KEPT, _PARTIAL_PAGE)
    )

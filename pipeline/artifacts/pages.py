"""What is drawn of a fit and kept beside it: its page, and the maps that take long to compute."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts.leftovers import PAGE, list_partial_pages
from pipeline.artifacts.locking import lock_fits
from pipeline.artifacts.writing import LOCK_SECONDS
from pipeline.durable import remove, write_file
from pipeline.records import hash_json

# Whatever NumPy and zipfile raise over a file that is not what was written.
_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError),
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptMap:
    """A projection of test rows into the plane.

    Attributes
    ----------
    points : float32 ndarray of shape (n_points, 2)
    explained : tuple of float or None
        Shares of the variance along the two axes, where they are known.
    versions : mapping of str to str
        Of the libraries that computed it.
    """

    points: NDArray[np.float32]
    explained: tuple[float, float] | None
    versions: Mapping[str, str]


def page_path(folder: Path) -> Path:
    """Return where the page of a fit lies."""
    return folder / PAGE


def save_page(folder: Path, html: str) -> Path:
    """Write a fit's page into its folder, and remove what killed writers left of others.

    Raises
    ------
    OSError
        If it cannot be written; an older page then stays.
    CacheLockedError
        If another process keeps writing beside the fit for a minute.
    """
    with lock_fits(folder.parent, timeout=LOCK_SECONDS):
        for left in list_partial_pages(folder):
            remove(left)
        write_file(page_path(folder), html.encode(), within=folder)
    return page_path(folder)


def map_path(
    fits: Path, *, method: str, content_sha256: str, paths: Sequence[str], seed: int
) -> Path:
    """Return where the map of some rows of a store lies; all fits on these rows share it.

    Parameters
    ----------
    fits : Path
        The folder of a store's fits.
    method : str
    content_sha256 : str
        Of the store.
    paths : sequence of str
        Of the rows.
    seed : int
    """
    decisive = {"content_sha256": content_sha256, "paths": list(paths), "seed": seed}
    return fits / f"map-{method}-{hash_json(decisive)[:8]}.npz"


def save_map(path: Path, kept: KeptMap) -> None:
    """Write a map in its place, whole.

    Raises
    ------
    OSError
        If it cannot be written.
    CacheLockedError
        If another process keeps writing beside the fit for a minute.
    """
    buffer = io.BytesIO()
    about = json.dumps({"explained": kept.explained, "versions": dict(kept.versions)})
    np.savez(buffer, points=kept.points, about=np.array(about))
    with lock_fits(path.parent, timeout=LOCK_SECONDS):
        write_file(path, buffer.getvalue(), within=path.parent)


def read_map(path: Path, *, n_points: int) -> KeptMap | None:
    """Return a map that was kept; None if it is not there, damaged, or of other rows."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            points = np.asarray(arrays["points"], np.float32)
            about = json.loads(str(arrays["about"]))
        explained = about["explained"]
        kept = KeptMap(
            points=points,
            explained=None if explained is None else (float(explained[0]), float(explained[1])),
            versions={str(name): str(number) for name, number in about["versions"].items()},
        )
    except _DAMAGED:
        return None
    is_whole = points.shape == (n_points, 2) and bool(np.isfinite(points).all())
    return kept if is_whole else None

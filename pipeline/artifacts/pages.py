"""What is drawn of a fit and kept beside it: its page, and the maps that take long to compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import __version__
from pipeline.artifacts.description import read_info
from pipeline.artifacts.keeping import pack_arrays, unpack_arrays
from pipeline.artifacts.leftovers import PAGE, list_partial_pages
from pipeline.artifacts.locking import lock_fits
from pipeline.artifacts.writing import LOCK_SECONDS
from pipeline.durable import remove, write_file
from pipeline.errors import ClassifierError
from pipeline.records import hash_json


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptMap:
    """A projection of test rows into the plane.

    Attributes
    ----------
    points : float32 ndarray of shape (n_points, 2)
    explained : tuple of float or None
        Shares of the variance along the two axes, where they are known.
    """

    points: NDArray[np.float32]
    explained: tuple[float, float] | None


def page_path(folder: Path) -> Path:
    """Return where the page of a fit lies."""
    return folder / PAGE


def save_page(folder: Path, html: str, *, files: Mapping[str, str]) -> Path:
    """Write a fit's page into its folder, and remove what killed writers left of others.

    Parameters
    ----------
    folder : Path
    html : str
    files : mapping of str to str
        The ``files`` of model.json when the fit was read: the page must be of this fit.

    Raises
    ------
    OSError
        If it cannot be written; an older page then stays.
    CacheLockedError
        If another process keeps writing beside the fit for a minute.
    ClassifierError
        If the fit was replaced meanwhile, or is gone.
    """
    with lock_fits(folder.parent, timeout=LOCK_SECONDS):
        if read_info(folder)["files"] != files:
            raise ClassifierError(
                f"{folder} was fitted anew while its page was being made. Run report --html again."
            )
        for left in list_partial_pages(folder):
            remove(left)
        write_file(page_path(folder), html.encode(), within=folder)
    return page_path(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlace:
    """Where a map is kept, and what it is of.

    Attributes
    ----------
    path : Path
    identity : str
        SHA-256 over all that decides about it, in hexadecimal.
    """

    path: Path
    identity: str


def map_place(
    fits: Path,
    *,
    method: str,
    versions: Mapping[str, str],
    content_sha256: str,
    paths: Sequence[str],
    seed: int,
) -> MapPlace:
    """Return where the map of some rows of a store lies; fits with the same test rows share it.

    Parameters
    ----------
    fits : Path
        The folder of a store's fits.
    method : str
    versions : mapping of str to str
        Of the libraries that would compute it; this package's own counts, too.
    content_sha256 : str
        Of the store.
    paths : sequence of str
        Of the rows.
    seed : int
    """
    identity = hash_json(
        {
            "method": method,
            "versions": {**versions, "transfer-values": __version__},
            "content_sha256": content_sha256,
            "paths": list(paths),
            "seed": seed,
        }
    )
    return MapPlace(path=fits / f"map-{method}-{identity[:8]}.map", identity=identity)


def save_map(place: MapPlace, kept: KeptMap) -> None:
    """Write a map in its place, whole: a digest, then NumPy's arrays.

    Raises
    ------
    OSError
        If it cannot be written.
    CacheLockedError
        If another process keeps writing beside the fit for a minute.
    """
    explained = np.array([] if kept.explained is None else kept.explained, np.float64)
    arrays: dict[str, NDArray[Any]] = {
        "points": np.asarray(kept.points, np.float32),
        "explained": explained,
    }
    fits = place.path.parent
    with lock_fits(fits, timeout=LOCK_SECONDS):
        write_file(place.path, pack_arrays(place.identity, arrays), within=fits)


def read_map(place: MapPlace, *, n_points: int) -> KeptMap | None:
    """Return a map that was kept; None if it is not there, damaged, or of something else."""
    try:
        data = place.path.read_bytes()
    except OSError:
        return None
    arrays = unpack_arrays(place.identity, data)
    if arrays is None:
        return None
    points, explained = arrays["points"], arrays["explained"].tolist()
    if points.shape != (n_points, 2):
        return None
    return KeptMap(points=points, explained=(explained[0], explained[1]) if explained else None)

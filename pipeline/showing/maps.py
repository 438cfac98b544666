"""Maps of a fit's test rows: computed once, kept beside the fits."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import KeptMap, map_place, read_map, save_map
from pipeline.errors import CacheLockedError
from pipeline.projection import NAMES, is_available, method_versions, name_axes, project
from pipeline.records import ScatterMap
from pipeline.showing.evidence import Evidence, find_samples, read_values
from pipeline.showing.provenance import name_versions

SEED = 0
_MEANING = {
    "pca": "The two directions in which the transfer values of these images differ most.",
    "tsne": (
        "Near each other is what has similar transfer values; distances between clusters, and "
        "their sizes, mean little."
    ),
    "umap": (
        "Near each other is what has similar transfer values; distances between clusters mean "
        "little."
    ),
}


def draw_maps(
    evidence: Evidence, rows: NDArray[np.intp], *, compute: Sequence[str], find: Sequence[str] = ()
) -> tuple[ScatterMap, ...]:
    """Return maps of some test rows, taken from beside the fits or computed and kept there.

    Parameters
    ----------
    evidence : Evidence
        With samples.
    rows : intp ndarray of shape (n_points,)
        Of `Evidence.rows`; the points of the maps are in this order.
    compute : sequence of str
        Methods: "pca", "tsne" or "umap".
    find : sequence of str
        Methods of which a map is taken if it was computed before.

    Raises
    ------
    CacheError
        If the store cannot be read.
    """
    samples = evidence.samples
    if samples is None or not len(rows):
        return ()
    paths = [evidence.rows.paths[row] for row in rows]
    values: NDArray[np.float32] | None = None
    drawn = []
    for method in filter(is_available, dict.fromkeys((*compute, *find))):
        versions = method_versions(method)
        place = map_place(
            evidence.folder.parent,
            method=method,
            versions=versions,
            content_sha256=samples.content_sha256,
            paths=paths,
            seed=SEED,
        )
        kept = read_map(place, n_points=len(rows))
        if kept is None and method in compute:
            if values is None:
                values = read_values(evidence.store, samples, find_samples(samples, paths))
            projection = project(values, method=method, random_state=SEED)
            kept = KeptMap(points=projection.points, explained=projection.explained)
            with contextlib.suppress(OSError, CacheLockedError):  # then it is computed again
                save_map(place, kept)
        if kept is not None:
            drawn.append(_describe(method, kept, versions))
    return tuple(drawn)


def _describe(method: str, kept: KeptMap, versions: Mapping[str, str]) -> ScatterMap:
    return ScatterMap(
        method=NAMES[method],
        rows=np.arange(len(kept.points)),
        points=kept.points,
        axes=name_axes(kept.explained),
        note=f"{_MEANING[method]} Computed by {name_versions(versions)}, seed {SEED}.",
    )

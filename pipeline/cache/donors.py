"""Rows of other stores that can be copied: the same content, by the same recipe.

When a data set changes, its store gets another key; what did not change need not be computed
again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache.outline import Outline, list_store_paths, read_outline
from pipeline.cache.rows import StoredRows
from pipeline.errors import CacheError
from pipeline.records import Manifest, Recipe


class RowSource:
    """A store from which rows of a manifest can be copied.

    Parameters
    ----------
    path : Path
        A store of the manifest's recipe, complete or not.
    manifest : Manifest
    wanted : int64 ndarray of shape (n_wanted,)
        Rows of the manifest.

    Attributes
    ----------
    path : Path
    provenance : mapping
        Who computed its values.
    rows : int64 ndarray of shape (n_samples,)
        For each row of the manifest the row of this store with the same content and with values,
        or -1.

    Raises
    ------
    CacheError
        If the store cannot be read.
    """

    def __init__(self, path: Path, manifest: Manifest, wanted: NDArray[np.int64]) -> None:
        self._stored = StoredRows(path)
        self.path = path
        self.provenance: Mapping[str, Any] = self._stored.about.provenance
        self.rows = self._match(manifest, wanted)

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
        """Return values, (n, n_features), and oddities, (n,), of rows of the manifest.

        Raises
        ------
        CacheError
            If a block is damaged, or was written since.
        """
        return self._stored.take(self.rows[rows])

    def _match(self, manifest: Manifest, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        stored = self._stored
        here = {
            _identify(stored.paths[row], stored.sha256[row]): row
            for row in np.flatnonzero(stored.usable).tolist()
        }
        rows = np.full(len(manifest), -1, np.int64)
        for row in wanted.tolist():
            rows[row] = here.get(_identify(manifest.paths[row], manifest.sha256[row]), -1)
        return rows

    def drop_damaged(self) -> None:
        """Read all of the rows, and forget those of blocks that are damaged."""
        matched = np.flatnonzero(self.rows >= 0)
        numbers = self.rows[matched] // self._stored.block_length
        for number in np.unique(numbers).tolist():
            rows = matched[numbers == number]
            try:
                self._stored.take(self.rows[rows])
            except CacheError:
                self.rows[rows] = -1


def find_source_paths(cache_dir: Path, recipe: Recipe, *, but: Path | None = None) -> list[Path]:
    """Return the stores of a recipe, of whatever data set, the largest first.

    Parameters
    ----------
    cache_dir : Path
    recipe : Recipe
        Of the values; only the data set may differ.
    but : Path, optional
        The store that is being filled.
    """
    same = _without_manifest(recipe.to_dict())
    found = [
        outline
        for path in list_store_paths(cache_dir)
        if path != but
        and (outline := _outline(path)) is not None
        and _without_manifest(outline.about.recipe.to_dict()) == same
    ]
    return [each.path for each in sorted(found, key=lambda each: (-each.n_rows, each.path))]


def _outline(path: Path) -> Outline | None:
    try:
        return read_outline(path)
    except CacheError:  # not ours, or damaged
        return None


def _identify(path: str, sha256: NDArray[np.uint8]) -> tuple[str, bytes]:
    """Return what makes two rows the same: the suffix decides about one of the oddities."""
    return os.path.splitext(path)[1].lower(), sha256.tobytes()  # noqa: PTH122 - a Path a row is slow


def _without_manifest(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name != "manifest_digest"}

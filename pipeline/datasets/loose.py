"""Loose files: images of which nothing is known but where they are."""

# ruff: noqa: PTH100, PTH118, PTH120
# Paths are strings here: a Path for each of 60,000 files takes longer than hashing small ones.

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.datasets.listing import Listing, Row
from pipeline.datasets.manifest import build_manifest
from pipeline.errors import DatasetError
from pipeline.records import UNLABELLED, Manifest

LOOSE = "paths"
"""What the data set of loose files is called."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LooseFiles:
    """Files as they were given, and what they are.

    Attributes
    ----------
    manifest : Manifest
        Each file once, without labels.
    rows : int64 ndarray of shape (n_given,)
        Row of the manifest of each file that was given.
    """

    manifest: Manifest
    rows: NDArray[np.int64]

    @property
    def is_readable(self) -> NDArray[np.bool_]:
        """Whether each file that was given could be read, bool of shape (n_given,)."""
        return np.asarray(self.manifest.sha256.any(axis=1))[self.rows]


def list_files(paths: Sequence[str], *, cache_dir: Path | None = None) -> LooseFiles:
    """Find out what files hold.

    Parameters
    ----------
    paths : sequence of str
        In any order, any of them more than once; relative ones count from the current folder.
    cache_dir : Path, optional
        Where hashes are remembered, see `hash_changed_files`.

    Raises
    ------
    DatasetError
        If they have no folder in common, for they lie on several drives.
    """
    absolute = [os.path.abspath(path) for path in paths]
    common = _find_root(absolute)
    start = len(os.path.join(common, ""))
    relative = [path[start:].replace(os.sep, "/") for path in absolute]
    (label,) = UNLABELLED
    listing = Listing(
        Path(common).resolve(), tuple(Row(path, label) for path in dict.fromkeys(relative))
    )
    manifest = build_manifest(LOOSE, listing, cache_dir=cache_dir)
    row_of = {path: row for row, path in enumerate(manifest.paths)}
    return LooseFiles(
        manifest=manifest, rows=np.array([row_of[path] for path in relative], np.int64)
    )


def list_nothing() -> Manifest:
    """Return a manifest of no files, for what is computed without being listed."""
    return build_manifest(LOOSE, Listing(Path(), ()))


def select_rows(manifest: Manifest, rows: NDArray[np.int64]) -> Manifest:
    """Return some rows of a manifest, in its order, as one of their own; nothing is hashed."""
    return replace(
        manifest,
        paths=tuple(manifest.paths[row] for row in rows.tolist()),
        labels=manifest.labels[rows],
        split=manifest.split[rows],
        group=manifest.group[rows],
        size=manifest.size[rows],
        sha256=manifest.sha256[rows],
    )


def join_files(manifests: Sequence[Manifest]) -> Manifest:
    """Return loose files of several manifests as one; nothing is hashed.

    Of two rows of one path, which was edited meanwhile, the one of the earlier manifest is taken.

    Parameters
    ----------
    manifests : sequence of Manifest
        Without labels; the first one's name is taken.

    Raises
    ------
    DatasetError
        If they have no folder in common, for they lie on several drives.
    """
    full = [os.path.join(each.root, path) for each in manifests for path in each.paths]
    root = _find_root(full)
    start = len(os.path.join(root, ""))
    first = {path: row for row, path in reversed(list(enumerate(full)))}
    order = sorted(first, key=os.fsencode)
    joined = replace(
        manifests[0],
        root=Path(root),
        paths=tuple(path[start:].replace(os.sep, "/") for path in full),
        labels=np.concatenate([each.labels for each in manifests]),
        split=np.concatenate([each.split for each in manifests]),
        group=np.concatenate([each.group for each in manifests]),
        size=np.concatenate([each.size for each in manifests]),
        sha256=np.concatenate([each.sha256 for each in manifests]),
    )
    return select_rows(joined, np.array([first[path] for path in order], np.int64))


def _find_root(absolute: Sequence[str]) -> str:
    try:
        return os.path.commonpath({os.path.dirname(path) for path in absolute})
    except ValueError as exc:
        raise DatasetError(
            f"The images lie on several drives ({absolute[0]!a} is one of them). Expected one "
            "folder that all are below. Copy them to one drive."
        ) from exc

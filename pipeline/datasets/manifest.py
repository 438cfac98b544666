"""From labelled rows to a `Manifest`: order, a limit that keeps every class, hashes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.hash_index import hash_changed_files
from pipeline.datasets.listing import Listing, Row
from pipeline.errors import ConfigError
from pipeline.records import Manifest, OnProgress, Split


def build_manifest(
    name: str,
    listing: Listing,
    *,
    limit: int | None = None,
    cache_dir: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Manifest:
    """Put rows into their final order and hash their files.

    Parameters
    ----------
    name : str
    listing : Listing
    limit : int, optional
        Take this many rows, spread evenly over splits, classes and paths.
    cache_dir : Path, optional
        Where to remember hashes, see `hash_changed_files`; without it every file is hashed.
    on_progress : callable, optional
        Called with how many files are known or hashed and how many there are.

    Returns
    -------
    Manifest
        Rows in ascending order of the bytes of their paths.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit must be at least 1. Got: {limit}.")
    rows = list(listing.rows) if limit is None else select_evenly(listing.rows, limit)
    rows.sort(key=lambda row: os.fsencode(row.path))
    class_names = tuple(sorted({row.label for row in rows}))
    group_names = tuple(sorted({row.group for row in rows} - {""}))
    class_index = {label: i for i, label in enumerate(class_names)}
    group_index = {"": -1} | {group: i for i, group in enumerate(group_names)}
    paths = tuple(row.path for row in rows)
    size, sha256 = hash_changed_files(
        listing.root, paths, cache_dir=cache_dir, name=name, on_progress=on_progress
    )
    return Manifest(
        name=name,
        root=listing.root,
        paths=paths,
        labels=np.array([class_index[row.label] for row in rows], np.int32),
        class_names=class_names,
        split=np.array(_given_split(rows), np.uint8),
        group=np.array([group_index[row.group] for row in rows], np.int32),
        group_names=group_names,
        size=size,
        sha256=sha256,
        ignored={reason: n for reason, n in sorted(listing.ignored.items()) if n},
    )


def select_evenly(rows: Sequence[Row], limit: int) -> list[Row]:
    """Take `limit` rows, each (split, class) in proportion and with one row at least.

    Where there are more (split, class) pairs than `limit`, they are spread evenly instead.
    """
    if limit >= len(rows):
        return list(rows)
    ordered = sorted(rows, key=lambda row: (row.split, row.label, os.fsencode(row.path)))
    starts = [i for i, row in enumerate(ordered) if not i or row[1:3] != ordered[i - 1][1:3]]
    if len(starts) > limit:
        return _take_evenly(ordered, limit)
    parts = [ordered[a:b] for a, b in zip(starts, [*starts[1:], len(ordered)], strict=True)]
    quotas = share_out(limit, [len(part) for part in parts])
    return [row for part, n in zip(parts, quotas, strict=True) for row in _take_evenly(part, n)]


def share_out(total: int, sizes: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `sizes`: one at least for each, never more than its size."""
    spare = total - len(sizes)
    rest = [size - 1 for size in sizes]
    whole = max(sum(rest), 1)
    quotas = [1 + spare * n // whole for n in rest]
    # Largest remainder; a tie goes to the earlier part, so the choice never depends on chance.
    by_remainder = sorted(range(len(sizes)), key=lambda i: (-(spare * rest[i] % whole), i))
    for i in by_remainder[: total - sum(quotas)]:
        quotas[i] += 1
    return quotas


def _take_evenly(rows: Sequence[Row], n: int) -> list[Row]:
    return [rows[i * len(rows) // n] for i in range(n)]


def _given_split(rows: Sequence[Row]) -> list[Split]:
    """Rows that were all given to one part were not split."""
    split = [row.split for row in rows]
    return split if len(set(split)) > 1 else [Split.NONE] * len(split)

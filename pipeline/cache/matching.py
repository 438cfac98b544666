"""Which rows of two stores belong together, and how far apart their values are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.cache.rows import StoredRows
from pipeline.records import OnProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesDiff:
    """How far the values of rows with the same content are from each other.

    Attributes
    ----------
    n_rows, n_identical : int
        Compared, and of these the same bit for bit.
    worst_cosine : float
        Of a row's values in both stores; 1 if there is none to compare.
    largest_difference : float
        Of any single value.
    worst_path : str
        Where that is, in the second store; empty if there is no difference.
    """

    n_rows: int
    n_identical: int
    worst_cosine: float
    largest_difference: float
    worst_path: str


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRows:
    """Which rows of two stores belong together, and which have no partner.

    Every row of either store is in one of the lists, once.

    Attributes
    ----------
    common : list of (int, int)
        Rows of the first and the second store: same path, and same content as far as known.
    renamed : list of (int, int)
        Same content under another path.
    changed : list of (int, int)
        Same path with another content.
    only_a, only_b : list of int
    """

    common: list[tuple[int, int]]
    renamed: list[tuple[int, int]]
    changed: list[tuple[int, int]]
    only_a: list[int]
    only_b: list[int]

    @property
    def same_content(self) -> list[tuple[int, int]]:
        """Common and renamed rows, in the order of the first store."""
        return sorted([*self.common, *self.renamed])


def match_rows(old: StoredRows, new: StoredRows) -> MatchedRows:
    """Find the rows of two stores that belong together.

    Of several copies of one content under new paths, the first old one became the first new one.
    """
    here = {path: j for j, path in enumerate(new.paths)}
    common = []
    for i, path in enumerate(old.paths):
        j = here.get(path)
        if j is not None and _may_be_same(old.sha256[i], new.sha256[j]):
            common.append((i, j))
    rest_a = sorted(set(range(len(old))) - {i for i, _ in common})
    rest_b = sorted(set(range(len(new))) - {j for _, j in common})
    by_content = defaultdict(list)
    for j in reversed(rest_b):
        by_content[new.sha256[j].tobytes()].append(j)
    renamed = []
    for i in rest_a:
        candidates = by_content[old.sha256[i].tobytes()] if old.sha256[i].any() else []
        if candidates:
            renamed.append((i, candidates.pop()))
    left_a = sorted(set(rest_a) - {i for i, _ in renamed})
    left_b = set(rest_b) - {j for _, j in renamed}
    changed = [(i, here[old.paths[i]]) for i in left_a if here.get(old.paths[i]) in left_b]
    return MatchedRows(
        common=common,
        renamed=renamed,
        changed=changed,
        only_a=sorted(set(left_a) - {i for i, _ in changed}),
        only_b=sorted(left_b - {j for _, j in changed}),
    )


def _may_be_same(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    """Tell whether two files of one path are the same, as far as both could be read."""
    return bool((a == b).all()) or not (a.any() and b.any())


def compare_values(
    old: StoredRows,
    new: StoredRows,
    pairs: list[tuple[int, int]],
    on_progress: OnProgress | None,
) -> ValuesDiff:
    """Compare values of two stores of the same recipe, block by block.

    Parameters
    ----------
    old, new : StoredRows
    pairs : list of (int, int)
        Rows of `old` and `new`; a pair of which one has no values does not count.
    on_progress : callable, optional
        Called with (blocks compared, blocks in all).

    Raises
    ------
    CacheCorruptError
        If a block is not what was committed.
    """
    partner = np.full(len(old), -1, np.int64)
    for i, j in pairs:
        partner[i] = j
    usable = new.usable
    n_rows = n_identical = 0
    cosine, difference, worst = 1.0, 0.0, ""
    for rows, values in _with_progress(old, on_progress):
        there = partner[rows]
        kept = np.flatnonzero((there >= 0) & usable[there])
        if not len(kept):
            continue
        others, _ = new.take(there[kept])
        n_rows += len(kept)
        n_identical += int((values[kept] == others).all(axis=1).sum())
        cosine = min(cosine, float(row_cosines(values[kept], others).min()))
        apart = np.abs(values[kept].astype(np.float64) - others).max(axis=1)
        if apart.max() > difference:
            difference = float(apart.max())
            worst = new.paths[int(there[kept[int(apart.argmax())]])]
    return ValuesDiff(
        n_rows=n_rows,
        n_identical=n_identical,
        worst_cosine=cosine,
        largest_difference=difference,
        worst_path=worst,
    )


def _with_progress(
    rows: StoredRows, on_progress: OnProgress | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    for done, block in enumerate(rows.iter_values(), start=1):
        yield block
        if on_progress:
            on_progress(done, rows.n_committed)


def row_cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of the angle between each row of `a` and that of `b`, shape (n,).

    1 for two equal rows, also of zeros; 0 if only one of them is zeros.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    cosines = (x * y).sum(axis=1) / np.where(norms > 0, norms, 1.0)
    return np.where((x == y).all(axis=1), 1.0, np.minimum(cosines, 1.0))

"""Which pictures a page has room for, and how large: small ones of all rows, larger ones of few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.images import Thumbnail, read_thumbnails
from pipeline.machine import count_cores
from pipeline.records import OnProgress, Report, SampleTable
from pipeline.showing.evidence import Evidence, find_samples
from pipeline.splits import Rows

MAX_ROWS = 10_000
"""Test rows in a page; its data, its map and its pictures are of these."""

SMALL_BYTES = 4_200_000
"""Of all small pictures; as text they take a third more."""

SIDES = ((1_000, 96), (3_000, 64), (6_000, 48), (MAX_ROWS, 40))
"""Side in pixels of the small pictures, by how many there are at most."""

LARGE_SIDE, SAMPLE_SIDE = 224, 96
SMALL_QUALITY, LARGE_QUALITY = 60, 80
N_LEAST_CERTAIN = 20
N_SUSPECTS, N_TWINS = 24, 12
N_SAMPLES, MAX_SAMPLED_CLASSES = 60, 300
"""Samples of all classes together, but one of each at least, and of how many classes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Pictures as WebP, and what was seen of the originals.

    Attributes
    ----------
    small : mapping of int to bytes
        By the place among the page's rows.
    large : mapping of str to bytes
        By path.
    sizes : tuple of (int, int)
        Width and height of the smallest, the median and the largest original, by area.
    notes : tuple of str
    """

    small: Mapping[int, bytes] = field(default_factory=dict)
    large: Mapping[str, bytes] = field(default_factory=dict)
    sizes: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()


def find_least_certain(evidence: Evidence) -> Rows:
    """Return the test rows with right answers whose two highest scores are closest, those first."""
    scores = evidence.rows.scores
    if scores.shape[1] < 2:
        return np.zeros(0, np.intp)
    second, first = np.partition(scores, -2, axis=1)[:, -2:].T
    right = np.flatnonzero(evidence.is_correct)
    order = right[np.argsort((first - second)[right], kind="stable")]
    return order[:N_LEAST_CERTAIN]


def choose_rows(evidence: Evidence, first: Rows) -> tuple[Rows, str]:
    """Return which test rows a page shows, ascending: all, or all mistakes and some of the others.

    Parameters
    ----------
    evidence : Evidence
    first : intp ndarray
        Rows that are shown in any case.

    Returns
    -------
    rows : intp ndarray
    note : str
        What was left out; empty if nothing.
    """
    n_rows = len(evidence.rows)
    if n_rows <= MAX_ROWS:
        return np.arange(n_rows), ""
    rank = np.where(evidence.is_correct, 2, 1)
    rank[first] = 0
    # By lot within each rank.
    order = np.lexsort((np.random.default_rng(0).random(n_rows), rank))
    n_wrong = int((~evidence.is_correct).sum())
    what = f"all {n_wrong:,} mistakes, the least certain of the right answers and some others"
    if n_wrong > MAX_ROWS - len(first):
        what = f"the least certain of the right answers and some of the {n_wrong:,} mistakes"
    return np.sort(order[:MAX_ROWS]), (
        f"Pictures, points of the map and rows to click on are of {MAX_ROWS:,} of {n_rows:,} test "
        f"images: {what}, by lot. All numbers are of all test images."
    )


def choose_samples(evidence: Evidence, samples: SampleTable) -> dict[int, tuple[str, ...]]:
    """Return paths of a few images of each class that are not test images, spread over its rows."""
    tested = np.zeros(len(samples.paths), bool)
    found = find_samples(samples, evidence.rows.paths)
    tested[found[found >= 0]] = True
    n_each = max(1, N_SAMPLES // len(samples.class_names))
    chosen: dict[int, tuple[str, ...]] = {}
    for label in range(min(len(samples.class_names), MAX_SAMPLED_CLASSES)):
        rows = np.flatnonzero((samples.labels == label) & ~tested)
        few = rows[np.linspace(0, len(rows) - 1, min(n_each, len(rows))).astype(int)]
        chosen[label] = tuple(samples.paths[row] for row in few)
    return chosen


def read_pictures(
    evidence: Evidence,
    rows: Rows,
    *,
    least_certain: Sequence[int],
    samples: Mapping[int, Sequence[str]],
    on_progress: OnProgress | None = None,
) -> Pictures:
    """Read the pictures of a page from the images, as long as these are what was extracted.

    Parameters
    ----------
    evidence : Evidence
    rows : intp ndarray
        Of `Evidence.rows`.
    least_certain : sequence of int
        Places among `rows`.
    samples : mapping of int to sequence of str
        From `choose_samples`.
    on_progress : callable, optional
    """
    table = evidence.samples
    if table is None:
        return Pictures()
    paths = [evidence.rows.paths[row] for row in rows]
    side = next(side for most, side in SIDES if len(paths) <= most)
    thumbnails = _read(table, paths, side=side, quality=SMALL_QUALITY, on_progress=on_progress)
    small, n_left_out = _fit_in(thumbnails, evidence.is_correct[rows])
    shown = _list_large(evidence.report, [paths[place] for place in least_certain])
    sampled = [path for each in samples.values() for path in each]
    large = {
        **read_by_path(table, sampled, side=SAMPLE_SIDE, quality=LARGE_QUALITY),
        **read_by_path(table, shown, side=LARGE_SIDE, quality=LARGE_QUALITY),
    }
    missing = {path for path, found in zip(paths, thumbnails, strict=True) if found is None}
    missing |= {path for path in (*sampled, *shown) if path not in large}
    notes = [say_missing(len(missing), len({*paths, *sampled, *shown}), table.root)]
    if n_left_out:
        notes.append(
            f"{n_left_out:,} of {len(paths):,} small pictures were left out, so that the page "
            "stays small; mistakes come first."
        )
    if len(table.class_names) > MAX_SAMPLED_CLASSES:
        notes.append(f"Samples are shown of the first {MAX_SAMPLED_CLASSES:,} classes.")
    return Pictures(
        small=small,
        large=large,
        sizes=_summarise_sizes([each.size for each in thumbnails if each is not None]),
        notes=tuple(note for note in notes if note),
    )


def say_missing(n_missing: int, n_wanted: int, root: str) -> str:
    """Return what to say of images that are not there to be shown; nothing if all are."""
    if not n_missing:
        return ""
    return (
        f"{n_missing:,} of {n_wanted:,} images cannot be shown: their files in {root} are gone or "
        "no longer what was extracted."
    )


def _read(
    table: SampleTable,
    paths: Sequence[str],
    *,
    side: int,
    quality: int,
    on_progress: OnProgress | None = None,
) -> list[Thumbnail | None]:
    """Return the thumbnails of paths; none of a path that the store does not have."""
    places = find_samples(table, paths)
    known = np.flatnonzero(places >= 0).tolist()
    found = read_thumbnails(
        Path(table.root),
        [paths[i] for i in known],
        sha256=table.sha256[places[known]],
        side=side,
        quality=quality,
        n_workers=count_cores(),
        on_progress=on_progress,
    )
    thumbnails: list[Thumbnail | None] = [None] * len(paths)
    for i, thumbnail in zip(known, found, strict=True):
        thumbnails[i] = thumbnail
    return thumbnails


def _fit_in(
    thumbnails: Sequence[Thumbnail | None], is_correct: NDArray[np.bool_]
) -> tuple[dict[int, bytes], int]:
    """Return the pictures that there is room for, mistakes first, and how many are left out."""
    kept: dict[int, bytes] = {}
    left, n_left_out = SMALL_BYTES, 0
    for place in np.argsort(is_correct, kind="stable").tolist():
        thumbnail = thumbnails[place]
        if thumbnail is None:
            continue
        if len(thumbnail.data) > left:
            n_left_out += 1
            continue
        left -= len(thumbnail.data)
        kept[place] = thumbnail.data
    return kept, n_left_out


def read_by_path(
    table: SampleTable, paths: Sequence[str], *, side: int, quality: int
) -> dict[str, bytes]:
    """Return pictures of a store's images that are still what was extracted, by path."""
    thumbnails = _read(table, paths, side=side, quality=quality)
    pairs = zip(paths, thumbnails, strict=True)
    return {path: thumbnail.data for path, thumbnail in pairs if thumbnail is not None}


def _list_large(report: Report, least_certain: Sequence[str]) -> list[str]:
    """Return the paths of what the page shows in its galleries."""
    pairs = report.twins["pairs"][:N_TWINS] if report.twins else ()
    paths = [
        *(mistake["path"] for mistake in report.mistakes),
        *least_certain,
        *(suspect["path"] for suspect in report.label_errors[:N_SUSPECTS]),
        *(path for pair in pairs for path in (pair["test"], pair["train"])),
    ]
    return list(dict.fromkeys(paths))


def _summarise_sizes(sizes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    if not sizes:
        return ()
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return ordered[0], ordered[len(ordered) // 2], ordered[-1]

"""Few training images of each class, chosen so that they differ as much as units tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.records import SampleTable
from pipeline.splits.partition import Rows
from pipeline.splits.units import find_units, hash_of, number_images


def take_shots(table: SampleTable, rows: Rows, *, shots: int, seed: int) -> Rows:
    """Return at most `shots` of `rows` for each class, ascending.

    One image of each unit comes first, then a second one of each, and copies of an image come
    last. Who is first is told by hashes, so that more shots only add to fewer.

    Parameters
    ----------
    table : SampleTable
    rows : intp ndarray of shape (n_rows,)
    shots : int
    seed : int
    """
    image = number_images(table.sha256)
    units = find_units(table.sha256, table.group)
    rank = _rank_images(table.sha256, image, seed=seed)
    kept = []
    for label in np.unique(table.labels[rows]):
        of_class = rows[table.labels[rows] == label]
        ordered = of_class[np.argsort(rank[image[of_class]], kind="stable")]
        copies_last = ordered[np.argsort(_count_earlier(image[ordered]), kind="stable")]
        turn = _count_earlier(units[copies_last])
        kept.append(copies_last[np.lexsort([rank[units[copies_last]], turn])][:shots])
    return np.sort(np.concatenate(kept))


def _rank_images(sha256: NDArray[np.uint8], image: Rows, *, seed: int) -> Rows:
    """Return the place of each image, by its number, in the order that the seed decides.

    A unit's number is an image's, too: it has the place of that image.
    """
    _, row_of_image = np.unique(image, return_index=True)
    hashes = [hash_of(seed, sha256[row].tobytes()) for row in row_of_image]
    place = np.empty(len(hashes), np.intp)
    place[sorted(range(len(hashes)), key=hashes.__getitem__)] = np.arange(len(hashes))
    return place


def _count_earlier(values: Rows) -> Rows:
    """Return, for each value, how many equal ones come before it."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-1))
    counts = np.diff(starts, append=len(values))
    earlier = np.empty(len(values), np.intp)
    earlier[order] = np.arange(len(values)) - np.repeat(starts, counts)
    return earlier

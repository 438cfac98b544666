"""A split that grows with its data set: each unit's side comes from its own content alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.records import SampleTable
from pipeline.splits.partition import Partition
from pipeline.splits.units import find_units, hash_of, smallest_within


def split_by_content(table: SampleTable, *, test_size: float, seed: int) -> Partition:
    """Test on the units whose hash lies below `test_size`.

    An image counts by its bytes, and a group by its name, whatever it holds. So images that are
    added, to groups that are there or of groups that are new, move no other image. The exception
    is a copy that joins what was apart: two groups, or a group and an image of no group; they must
    then be on one side, and the group whose name has the smaller hash decides.

    Parameters
    ----------
    table : SampleTable
    test_size : float
        0-1. Not exact, and not for each class: what one image does cannot depend on others.
    seed : int
    """
    is_test = _rank_units(table, seed=seed) < test_size
    what = "groups and of the images without one" if (table.group >= 0).any() else "images"
    return Partition(
        train=np.flatnonzero(~is_test),
        test=np.flatnonzero(is_test),
        how=f"by content: about {100 * test_size:g} % of the {what}, not stratified, seed {seed}",
        notes=(),
    )


def _rank_units(table: SampleTable, *, seed: int) -> NDArray[np.float64]:
    """Return a number of [0, 1) for each row, equal within a unit."""
    grouped = table.group >= 0
    units = find_units(table.sha256, table.group)
    images = np.array([_rank(seed, b"image", row.tobytes()) for row in table.sha256])
    if not grouped.any():
        return images
    names = [name.encode("utf-8", "surrogateescape") for name in table.group_names]
    of_group = np.array([_rank(seed, b"group", name) for name in names])
    # Ranks as places in one order: the smallest place of a unit's groups, if it has one, wins.
    order = np.argsort(of_group)
    place = np.empty(len(names), np.intp)
    place[order] = np.arange(len(names))
    none = len(names)
    best = smallest_within(np.where(grouped, place[table.group], none), units)
    return np.where(best < none, of_group[order[np.minimum(best, none - 1)]], images)


def _rank(seed: int, kind: bytes, content: bytes) -> float:
    digest = hash_of(seed, b":" + kind + b":" + content)
    return int.from_bytes(digest[:8], "big") / 2**64

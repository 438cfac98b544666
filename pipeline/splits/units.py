"""Units, the rows that must stay together, and the order that their contents put them in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.records import SampleTable
from pipeline.splits.partition import Rows


def number_images(sha256: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the number of each row's image, in ascending order of the hashes; copies share one.

    Parameters
    ----------
    sha256 : uint8 ndarray of shape (n_samples, 32)

    Returns
    -------
    intp ndarray of shape (n_samples,)
    """
    return np.unique(np.ascontiguousarray(sha256).view("V32").ravel(), return_inverse=True)[1]


def find_units(sha256: NDArray[np.uint8], group: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the number of each row's unit: rows that must stay together, sharing bytes or group.

    Sharing is transitive: copies in two groups join the groups.

    Parameters
    ----------
    sha256 : uint8 ndarray of shape (n_samples, 32)
    group : int32 ndarray of shape (n_samples,)
        -1 for none.

    Returns
    -------
    intp ndarray of shape (n_samples,)
        The smallest `number_images` within the unit.
    """
    image = number_images(sha256)
    units = image
    grouped = group >= 0
    while True:  # each pass merges; at most as many as the longest chain of copies across groups
        merged = smallest_within(units, image)
        merged[grouped] = smallest_within(merged[grouped], group[grouped])
        if np.array_equal(merged, units):
            return units
        units = merged


def smallest_within(values: NDArray[np.intp], member_of: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return, for each row, the smallest value among the rows of the same `member_of`."""
    numbers, inverse = np.unique(member_of, return_inverse=True)
    smallest = np.full(len(numbers), np.iinfo(np.intp).max, np.intp)
    np.minimum.at(smallest, inverse, values)
    return smallest[inverse]


def holds_several(image: NDArray[np.intp], units: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell, for each row, whether its unit holds different images: whether a group made it."""
    return np.isin(units, units[image != units])


def hash_of(seed: int, content: bytes) -> bytes:
    """Return 32 bytes that order contents as if by chance, and by another one for each seed."""
    return hashlib.sha256(str(seed).encode() + content).digest()


def units_of_classes(
    table: SampleTable, units: NDArray[np.intp], rows: Rows, *, seed: int
) -> Iterator[tuple[int, list[Rows]]]:
    """Yield each class and the rows of each of its units, in an order that the seed decides.

    A unit of several classes counts to the one that most of its rows have. The order comes from
    the images' hashes, not from their places: it is the same whatever the files are called, and
    images that are added later leave most others on their side.
    """
    members: dict[int, list[int]] = {}
    for row in rows.tolist():
        members.setdefault(int(units[row]), []).append(row)
    strata: dict[int, list[tuple[bytes, Rows]]] = {}
    for unit in members.values():
        rank = hash_of(seed, min(table.sha256[row].tobytes() for row in unit))
        label = int(np.bincount(table.labels[unit]).argmax())
        strata.setdefault(label, []).append((rank, np.array(unit)))
    for label in sorted(strata):
        yield label, [unit for _, unit in sorted(strata[label], key=lambda pair: pair[0])]

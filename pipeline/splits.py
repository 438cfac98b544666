"""Which rows train and which test: a given split is kept, otherwise one is drawn.

Rows that show the same image, bit for bit, or that belong to the same group of the data set
(patient, scene, camera) are one *unit*. A drawn split never divides a unit: a twin in the training
rows makes its test row worthless as evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClassifierError
from pipeline.records import FeatureTable, Split

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Partition:
    """The training and the test rows.

    Attributes
    ----------
    train, test : intp ndarray
        Row numbers, ascending; together every row once.
    how : str
        How they were chosen, in words.
    notes : tuple of str
        What a reader should know about the choice.
    """

    train: Rows
    test: Rows
    how: str
    notes: tuple[str, ...]


def split_rows(table: FeatureTable, *, test_size: float, seed: int) -> Partition:
    """Choose the training and the test rows.

    A split that the data set came with is kept as it is: its test rows test, or its validation
    rows where it has no test rows, and all others train. Validation rows beside test rows train
    too, since nothing is tuned on them. Where that leaves either side empty (a data set that has
    only a ``train`` folder), the test rows are drawn.

    Parameters
    ----------
    table : FeatureTable
    test_size : float
        Share of each class that a drawn split tests on, 0-1.
    seed : int

    Raises
    ------
    ClassifierError
        If no split is possible, or fewer than two classes are left to train on.
    """
    part = _given_split(table)
    if part is None:
        part = _draw_split(table, test_size=test_size, seed=seed)
    if len(part.test) == 0 or len(part.train) == 0:
        raise ClassifierError(
            f"No image of {table.dataset} can be set aside for testing: {len(table.labels)} usable "
            "images, and copies of one image stay together. Add images, or fewer duplicates."
        )
    present = np.unique(table.labels[part.train])
    if len(present) < 2:
        found = ", ".join(repr(table.class_names[i]) for i in present)
        raise ClassifierError(
            f"A classifier needs training images of at least 2 classes. {table.dataset} has them "
            f"of {len(present)}: {found}. Put the images of each class into a folder of its own "
            "and run extract again."
        )
    return Partition(
        train=part.train,
        test=part.test,
        how=part.how,
        notes=(*part.notes, *_class_notes(table, part), *_copy_notes(table, part)),
    )


def _given_split(table: FeatureTable) -> Partition | None:
    given = table.split
    if not (given != Split.NONE).any():
        return None
    has_test = bool((given == Split.TEST).any())
    is_test = given == (Split.TEST if has_test else Split.VAL)
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if not len(train) or not len(test):
        return None
    notes = []
    n_val = int((given == Split.VAL).sum())
    if has_test and n_val:
        notes.append(f"{n_val:,} validation images train too: nothing is tuned on them.")
    n_none = int((given == Split.NONE).sum())
    if n_none:
        notes.append(f"{n_none:,} images that the given split does not mention train.")
    how = "given" if has_test else "given (its validation images test: it has no test images)"
    return Partition(train=train, test=test, how=how, notes=tuple(notes))


def _draw_split(table: FeatureTable, *, test_size: float, seed: int) -> Partition:
    units = find_units(table.sha256, table.group)
    chosen = np.zeros(len(table.labels), bool)
    for strata in _units_of_classes(table, units, seed=seed):
        sizes = np.array([len(rows) for rows in strata])
        # A class of one unit trains; any other keeps at least one unit on either side.
        wanted = max(1, round(test_size * sizes.sum()))
        last = int(np.argmin(np.abs(np.cumsum(sizes) - wanted))) + 1
        for rows in strata[: min(last, len(strata) - 1)]:
            chosen[rows] = True
    notes = []
    if (table.split != Split.NONE).any():
        only = " and ".join(Split(s).name.lower() for s in np.unique(table.split))
        notes.append(f"The data set names {only} images only, so the test images were drawn.")
    if (table.group >= 0).any():
        notes.append("Images of one group are all on one side of the split.")
    return Partition(
        train=np.flatnonzero(~chosen),
        test=np.flatnonzero(chosen),
        how=f"drawn: stratified {100 * test_size:g} %, seed {seed}",
        notes=tuple(notes),
    )


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
    """
    image = _number_hashes(sha256)
    units = image
    grouped = group >= 0
    while True:  # each pass merges; at most as many as the longest chain of copies across groups
        merged = _smallest_within(units, image)
        merged[grouped] = _smallest_within(merged[grouped], group[grouped])
        if np.array_equal(merged, units):
            return units
        units = merged


def _number_hashes(sha256: NDArray[np.uint8]) -> NDArray[np.intp]:
    return np.unique(np.ascontiguousarray(sha256).view("V32").ravel(), return_inverse=True)[1]


def _smallest_within(values: NDArray[np.intp], member_of: NDArray[np.integer]) -> NDArray[np.intp]:
    numbers, inverse = np.unique(member_of, return_inverse=True)
    smallest = np.full(len(numbers), np.iinfo(np.intp).max, np.intp)
    np.minimum.at(smallest, inverse, values)
    return smallest[inverse]


def _units_of_classes(
    table: FeatureTable, units: NDArray[np.intp], *, seed: int, rows: Rows | None = None
) -> Iterator[list[Rows]]:
    """Yield, class by class, the rows of each of its units in an order that the seed decides.

    The order comes from the images' hashes, not from their places: it is the same whatever the
    files are called, and images that are added later leave most others on their side.
    """
    members: dict[int, list[int]] = {}
    for row in range(len(units)) if rows is None else rows:
        members.setdefault(int(units[row]), []).append(int(row))
    salt = str(seed).encode()
    strata: dict[int, list[tuple[bytes, Rows]]] = {}
    for unit in members.values():
        rank = hashlib.sha256(salt + min(table.sha256[row].tobytes() for row in unit)).digest()
        label = int(np.bincount(table.labels[unit]).argmax())
        strata.setdefault(label, []).append((rank, np.array(unit)))
    for label in sorted(strata):
        yield [rows for _, rows in sorted(strata[label], key=lambda pair: pair[0])]


def draw_folds(table: FeatureTable, rows: Rows, *, n_folds: int, seed: int) -> NDArray[np.intp]:
    """Deal rows into folds of like class proportions, units kept together.

    Parameters
    ----------
    table : FeatureTable
    rows : intp ndarray of shape (n_rows,)
        The rows to deal.
    n_folds : int
    seed : int

    Returns
    -------
    intp ndarray of shape (n_rows,)
        Fold of each of `rows`, 0 to n_folds - 1.

    Raises
    ------
    ClassifierError
        If there are fewer units than folds, or a fold would leave one class to train on.
    """
    units = find_units(table.sha256, table.group)
    fold = np.full(len(table.labels), -1, np.intp)
    dealt = 0
    for strata in _units_of_classes(table, units, seed=seed, rows=rows):
        for unit in strata:  # going on where the last class stopped keeps the folds equal in size
            fold[unit] = dealt % n_folds
            dealt += 1
    left = [len(np.unique(table.labels[rows][fold[rows] != k])) for k in range(n_folds)]
    if dealt < n_folds or min(left) < 2:
        raise ClassifierError(
            f"--cv {n_folds} needs at least {n_folds} different training images, and at least 2 "
            f"classes outside every fold. Got {dealt} images. Take a smaller --cv, or add images."
        )
    return fold[rows]


def _class_notes(table: FeatureTable, part: Partition) -> Iterator[str]:
    n_classes = len(table.class_names)
    n_train = np.bincount(table.labels[part.train], minlength=n_classes)
    n_test = np.bincount(table.labels[part.test], minlength=n_classes)
    yield from _name_classes(
        table, (n_train == 0) & (n_test > 0), "no training image and cannot be predicted"
    )
    yield from _name_classes(
        table, (n_test == 0) & (n_train > 0), "no test image: nothing is known of its accuracy"
    )
    yield from _name_classes(table, (n_train == 0) & (n_test == 0), "no usable image at all")


def _name_classes(table: FeatureTable, chosen: NDArray[np.bool_], what: str) -> Iterator[str]:
    names = [table.class_names[i] for i in np.flatnonzero(chosen)]
    if len(names) == 1:
        yield f"Class {names[0]!r} has {what}."
    elif names:
        more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
        listed = ", ".join(repr(name) for name in names[:5])
        yield f"{len(names):,} classes have {what.replace('its', 'their')}: {listed}{more}."


def _copy_notes(table: FeatureTable, part: Partition) -> Iterator[str]:
    image = _number_hashes(table.sha256)
    leaked = int(np.isin(image[part.test], image[part.train]).sum())
    if leaked:
        yield (
            f"{leaked:,} of the {len(part.test):,} test images have an exact copy among the "
            "training images: the given split was kept, so the accuracy flatters."
        )
    first = np.unique(image, return_index=True)[1]
    n_torn = len(np.unique(image[table.labels != table.labels[first][image]]))
    if n_torn:
        were = "image appears" if n_torn == 1 else "images appear"
        yield f"{n_torn:,} {were} under more than one label: at least one of them is wrong."

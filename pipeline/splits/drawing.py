"""Draw test rows: single images by their hashes, groups with StratifiedGroupKFold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClassifierError
from pipeline.records import SampleTable
from pipeline.splits.dealing import deal_groups
from pipeline.splits.partition import Partition
from pipeline.splits.units import find_units, holds_several, number_images, units_of_classes

FEW_PARTS = 10
MANY_PARTS = 50  # StratifiedGroupKFold takes 0.03 ms for each group and part


def draw_split(table: SampleTable, *, test_size: float, seed: int) -> Partition:
    """Draw test rows that hold `test_size` of each class, as far as whole units allow.

    Groups are drawn first; single images then make up for what the groups are short of.

    Parameters
    ----------
    table : SampleTable
    test_size : float
        0-1.
    seed : int

    Raises
    ------
    ClassifierError
        If each group holds all rows of some class.
    """
    units = find_units(table.sha256, table.group)
    grouped = holds_several(number_images(table.sha256), units)
    lone = _lone_classes(table.labels, units, grouped)
    fixed = np.isin(units, list(lone.values()))
    if len(lone) > 1 and fixed.all():
        raise ClassifierError(
            f"Each group of {table.dataset} holds all images of a class, so none can be tested "
            "without taking the class out of the training. Expected groups that cut across "
            "classes, such as patients or scenes: take another --group-by."
        )
    chosen = _draw_groups(table, units, grouped, grouped & ~fixed, test_size=test_size, seed=seed)
    chosen |= _draw_images(table, units, grouped, chosen, test_size=test_size, seed=seed)
    how = f"drawn: stratified {100 * test_size:g} %, seed {seed}"
    if grouped.any():
        share = f"{100 * chosen.mean():.1f} % came out of the {100 * test_size:g} % asked for"
        how = f"drawn: stratified by whole groups, {share}, seed {seed}"
    return Partition(
        train=np.flatnonzero(~chosen),
        test=np.flatnonzero(chosen),
        how=how,
        notes=tuple(
            f"All images of class {table.class_names[label]!r} are in one group: they train."
            for label in lone
        ),
    )


def _lone_classes(
    labels: NDArray[np.int32], units: NDArray[np.intp], grouped: NDArray[np.bool_]
) -> dict[int, int]:
    """Return the classes of which all rows lie in one group's unit, and that unit."""
    pairs = np.unique(np.column_stack([labels, units]), axis=0)
    classes, first, n_units = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    of_group = np.isin(pairs[first, 1], units[grouped])
    lone = (n_units == 1) & of_group
    return dict(zip(classes[lone].tolist(), pairs[first[lone], 1].tolist(), strict=True))


def _draw_groups(
    table: SampleTable,
    units: NDArray[np.intp],
    grouped: NDArray[np.bool_],
    free: NDArray[np.bool_],
    *,
    test_size: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Choose test units among the `free` rows: some of the folds that they are dealt into.

    The folds are not alike where groups are few or large. Taken are those that leave most classes
    with training and with test rows and, among equals, come closest to the share asked for.
    """
    rows = np.flatnonzero(free)
    chosen = np.zeros(len(units), bool)
    if not len(rows):
        return chosen
    share = _as_parts(test_size, n_units=len(np.unique(units[rows])))
    part = deal_groups(table.labels[rows], units[rows], n_folds=share.denominator, seed=seed)

    def count(chosen_rows: NDArray[np.bool_]) -> NDArray[np.intp]:
        return np.bincount(table.labels[chosen_rows], minlength=len(table.class_names))

    n_all, n_single, n_grouped = count(np.ones(len(units), bool)), count(~grouped), count(grouped)

    def price(is_test: NDArray[np.bool_]) -> tuple[int, int, float]:
        n_test = np.bincount(table.labels[rows][is_test], minlength=len(n_all))
        cannot_train = (n_test == n_all) & (n_all > 0)
        cannot_test = (n_test == 0) & (n_single == 0) & (n_all > 0)
        distance = np.abs(n_test - test_size * n_grouped).sum()
        return int(cannot_train.sum()), int(cannot_test.sum()), float(distance)

    turns = [
        (part + turn) % share.denominator < share.numerator for turn in range(share.denominator)
    ]
    chosen[rows] = min(turns, key=price)
    return chosen


def _as_parts(test_size: float, *, n_units: int) -> Fraction:
    """Return a share as parts of folds: 1/5 is one of five. Never none and never all of them."""
    smaller = min(test_size, 1 - test_size)
    wanted = min(max(FEW_PARTS, round(1 / smaller)), MANY_PARTS)
    limit = max(2, min(wanted, n_units))
    share = Fraction(test_size).limit_denominator(limit)
    return min(max(share, Fraction(1, limit)), Fraction(limit - 1, limit))


def _draw_images(
    table: SampleTable,
    units: NDArray[np.intp],
    grouped: NDArray[np.bool_],
    drawn: NDArray[np.bool_],
    *,
    test_size: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Choose test rows among the images that no group holds, in the order of their hashes."""
    n_classes = len(table.class_names)
    n_grouped = np.bincount(table.labels[grouped], minlength=n_classes)
    n_drawn = np.bincount(table.labels[drawn], minlength=n_classes)
    chosen = np.zeros(len(units), bool)
    for label, strata in units_of_classes(table, units, np.flatnonzero(~grouped), seed=seed):
        sizes = np.array([len(rows) for rows in strata])
        wanted = round(test_size * (sizes.sum() + n_grouped[label])) - n_drawn[label]
        if not n_drawn[label]:
            wanted = max(1, wanted)
        if wanted < 1:
            continue
        last = int(np.argmin(np.abs(np.cumsum(sizes) - wanted))) + 1
        # A class of one unit trains; any other keeps at least one unit on either side.
        for rows in strata[: min(last, len(strata) - 1)]:
            chosen[rows] = True
    return chosen

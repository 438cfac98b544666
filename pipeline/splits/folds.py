"""Folds of the training rows for cross-validation, units kept together."""

from __future__ import annotations

import heapq

import numpy as np

from pipeline.errors import ClassifierError
from pipeline.records import SampleTable
from pipeline.splits.dealing import deal_groups
from pipeline.splits.notes import name_classes
from pipeline.splits.partition import Rows
from pipeline.splits.units import find_units, holds_several, number_images, units_of_classes


def draw_folds(table: SampleTable, rows: Rows, *, n_folds: int, seed: int) -> Rows:
    """Deal rows into folds of like class proportions, units kept together.

    Groups are dealt first; single images then fill up the folds.

    Parameters
    ----------
    table : SampleTable
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
    grouped = holds_several(number_images(table.sha256), units)[rows]
    fold = np.full(len(table.labels), -1, np.intp)
    if grouped.any():
        of_groups = rows[grouped]
        fold[of_groups] = deal_groups(
            table.labels[of_groups], units[of_groups], n_folds=n_folds, seed=seed
        )
    _deal_images(table, units, rows[~grouped], fold, n_folds=n_folds, seed=seed)
    dealt = fold[rows]
    left = [len(np.unique(table.labels[rows][dealt != k])) for k in range(n_folds)]
    if len(np.unique(dealt)) < n_folds or min(left) < 2:
        what = "images or groups" if grouped.any() else "images"
        raise ClassifierError(
            f"--cv {n_folds} needs at least {n_folds} different training {what}, and at least 2 "
            f"classes outside every fold. Got {len(np.unique(units[rows]))} {what}. Take a "
            "smaller --cv, or add images."
        )
    return dealt


def _deal_images(
    table: SampleTable, units: Rows, rows: Rows, fold: Rows, *, n_folds: int, seed: int
) -> None:
    """Fill in `fold` for `rows`: the next unit goes where its class has the fewest rows so far.

    Among equals it goes to the fold that has the fewest rows of all classes.
    """
    done = fold >= 0
    total = np.bincount(fold[done], minlength=n_folds)
    for label, strata in units_of_classes(table, units, rows, seed=seed):
        of_class = np.bincount(fold[done & (table.labels == label)], minlength=n_folds)
        heap = list(zip(of_class.tolist(), total.tolist(), range(n_folds), strict=True))
        heapq.heapify(heap)
        for unit in strata:
            n_class, n_total, k = heap[0]
            fold[unit] = k
            heapq.heapreplace(heap, (n_class + len(unit), n_total + len(unit), k))
        for _, n_total, k in heap:
            total[k] = n_total


def describe_folds(table: SampleTable, rows: Rows, fold: Rows) -> tuple[str, ...]:
    """Name the classes that some fold holds all training rows of: there they cannot be predicted.

    Parameters
    ----------
    table : SampleTable
    rows, fold : intp ndarray of shape (n_rows,)
        Given to, and returned by, `draw_folds`.
    """
    n_classes = len(table.class_names)
    labels, n_folds = table.labels[rows], int(fold.max()) + 1
    in_fold = np.bincount(labels * n_folds + fold, minlength=n_classes * n_folds)
    in_fold = in_fold.reshape(n_classes, n_folds)
    lone = (in_fold > 0).sum(axis=1) == 1
    what = "all its training images in one fold: while that one is tested it cannot be predicted"
    return tuple(name_classes(table, lone, what))

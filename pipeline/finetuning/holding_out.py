"""Which of the training images tell the best epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClassifierError
from pipeline.records import SampleTable, Split
from pipeline.splits import Partition, draw_folds

FEWEST_FOLDS = 2


def hold_out(
    table: SampleTable, split: Partition, *, validation_size: float, seed: int
) -> dict[str, NDArray[np.intp]]:
    """Return the rows that train and those that tell the best epoch, both of the training rows.

    Validation images that the data set names are taken; else some are drawn, of like class
    proportions, copies and groups kept together: as many as asked for or, where the training
    images are too few for that, more.

    Parameters
    ----------
    table : SampleTable
    split : Partition
    validation_size : float
        Share of the training rows, 0-1.
    seed : int

    Returns
    -------
    dict of str to intp ndarray
        "train" and "validation".

    Raises
    ------
    ClassifierError
        If the training rows cannot be divided.
    """
    rows = split.train
    given = table.split[rows] == Split.VAL
    if given.any() and not given.all():
        return {"train": rows[~given], "validation": rows[given]}
    wanted = max(FEWEST_FOLDS, round(1 / validation_size))
    for n_folds in sorted({wanted, *range(FEWEST_FOLDS, min(wanted, 6))}, reverse=True):
        try:
            fold = draw_folds(table, rows, n_folds=n_folds, seed=seed)
        except ClassifierError:
            continue
        return {"train": rows[fold != 0], "validation": rows[fold == 0]}
    raise ClassifierError(
        f"No validation images can be set aside: {len(rows):,} training images, of which copies "
        "and groups stay together. Add images."
    )

"""What a split is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


def no_rows() -> Rows:
    """Return the row numbers of nothing."""
    return np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Partition:
    """The training and the test rows.

    Attributes
    ----------
    train, test, unused : intp ndarray
        Row numbers, ascending; together every row once.
    how : str
        How they were chosen, in words.
    notes : tuple of str
        What a reader should know about the choice.
    """

    train: Rows
    test: Rows
    unused: Rows = field(default_factory=no_rows)
    how: str
    notes: tuple[str, ...]

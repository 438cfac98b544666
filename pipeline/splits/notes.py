"""What a reader of a split should know: classes on one side only, copies and groups across it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.records import SampleTable
from pipeline.splits.partition import Partition
from pipeline.splits.units import number_images


def class_notes(table: SampleTable, part: Partition) -> Iterator[str]:
    """Name the classes that lack training rows, test rows or both."""
    n_classes = len(table.class_names)
    n_train = np.bincount(table.labels[part.train], minlength=n_classes)
    n_test = np.bincount(table.labels[part.test], minlength=n_classes)
    yield from name_classes(
        table, (n_train == 0) & (n_test > 0), "no training image and cannot be predicted"
    )
    yield from name_classes(
        table, (n_test == 0) & (n_train > 0), "no test image: nothing is known of its accuracy"
    )
    yield from name_classes(table, (n_train == 0) & (n_test == 0), "no usable image at all")


def shot_notes(table: SampleTable, part: Partition, *, shots: int) -> Iterator[str]:
    """Name the classes that have fewer training rows than shots."""
    n_train = np.bincount(table.labels[part.train], minlength=len(table.class_names))
    few = (n_train > 0) & (n_train < shots)
    yield from name_classes(table, few, f"fewer than {shots:,} training images, and all train")


def name_classes(table: SampleTable, chosen: NDArray[np.bool_], what: str) -> Iterator[str]:
    """Say what the chosen classes have, in one sentence; nothing where none is chosen.

    Parameters
    ----------
    table : SampleTable
    chosen : bool ndarray of shape (n_classes,)
    what : str
        In the singular, such as "no test image: nothing is known of its accuracy".
    """
    names = [table.class_names[i] for i in np.flatnonzero(chosen)]
    if len(names) == 1:
        yield f"Class {names[0]!r} has {what}."
    elif names:
        more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
        listed = ", ".join(repr(name) for name in names[:5])
        plural = what.replace("its", "their").replace(" it ", " they ")
        yield f"{len(names):,} classes have {plural}: {listed}{more}."


def copy_notes(table: SampleTable, part: Partition) -> Iterator[str]:
    """Count the test rows that have a copy among the training rows, and torn labels."""
    image = number_images(table.sha256)
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


def group_notes(table: SampleTable, part: Partition) -> Iterator[str]:
    """Count the test rows that belong to the group of a training row."""
    tested = table.group[part.test]
    trained = table.group[part.train]
    leaked = int(np.isin(tested[tested >= 0], trained).sum())
    if leaked:
        yield (
            f"{leaked:,} of the {len(part.test):,} test images belong to a group that has training "
            "images, too: the given split was kept, so the accuracy flatters."
        )

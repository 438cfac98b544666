"""The split of a table: given, drawn or by content, cut to a number of shots, and explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.records import SampleTable, Split
from pipeline.splits.drawing import draw_split
from pipeline.splits.notes import class_notes, copy_notes, group_notes, shot_notes
from pipeline.splits.partition import Partition
from pipeline.splits.shots import take_shots
from pipeline.splits.stable import split_by_content


def split_rows(table: SampleTable, *, config: FitConfig) -> Partition:
    """Choose the training and the test rows.

    A split that the data set came with is kept as it is: its test rows test, or its validation
    rows where it has no test rows, and all others train. Validation rows beside test rows train
    too, since nothing is tuned on them. Where that leaves either side empty (a data set that has
    only a ``train`` folder), the test rows are drawn, whole units at a time, or told by their
    content where `config.split` is "stable".

    Parameters
    ----------
    table : SampleTable
    config : FitConfig
        `test_size` is the share of each class that a drawn split tests on; `shots` leaves that
        many training rows a class at most, and the rest unused.

    Raises
    ------
    ClassifierError
        If no split is possible, or fewer than two classes are left to train on.
    """
    part = _given_split(table, config) or _make_split(table, config)
    _check(table, part, config)
    notes = [*part.notes, *class_notes(table, part)]
    if config.shots is not None:
        notes += shot_notes(table, part, shots=config.shots)
        part = _cut(table, part, shots=config.shots, seed=config.seed)
    notes += [*copy_notes(table, part), *group_notes(table, part)]
    return replace(part, notes=tuple(notes))


def _given_split(table: SampleTable, config: FitConfig) -> Partition | None:
    given = table.split
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
    if config.split == "stable":
        notes.append("The split that the data set comes with was kept, not --split stable.")
    how = "given" if has_test else "given (its validation images test: it has no test images)"
    return Partition(train=train, test=test, how=how, notes=tuple(notes))


def _make_split(table: SampleTable, config: FitConfig) -> Partition:
    make = split_by_content if config.split == "stable" else draw_split
    part = make(table, test_size=config.test_size, seed=config.seed)
    return replace(part, notes=(*_notes_of_making(table), *part.notes))


def _notes_of_making(table: SampleTable) -> Iterator[str]:
    if (table.split != Split.NONE).any():
        only = " and ".join(Split(s).name.lower() for s in np.unique(table.split))
        yield f"The data set names {only} images only, so the test images were drawn."
    if (table.group >= 0).any():
        yield "Images of one group are all on one side of the split."


def _check(table: SampleTable, part: Partition, config: FitConfig) -> None:
    if len(part.test) == 0 or len(part.train) == 0:
        if config.split == "stable":
            advice = "Take another --seed or --test-size, leave out --split stable, or add images."
        else:
            advice = "Add images, or fewer duplicates."
        together = "copies of one image" + (" and groups" if (table.group >= 0).any() else "")
        raise ClassifierError(
            f"No image of {table.dataset} can be set aside for testing: {len(table.labels)} usable "
            f"images, and {together} stay together. {advice}"
        )
    present = np.unique(table.labels[part.train])
    if len(present) < 2:
        found = ", ".join(repr(table.class_names[i]) for i in present)
        raise ClassifierError(
            f"A classifier needs training images of at least 2 classes. {table.dataset} has them "
            f"of {len(present)}: {found}. Put the images of each class into a folder of its own "
            "and run extract again."
        )


def _cut(table: SampleTable, part: Partition, *, shots: int, seed: int) -> Partition:
    kept = take_shots(table, part.train, shots=shots, seed=seed)
    unused = np.setdiff1d(part.train, kept)
    return replace(
        part,
        train=kept,
        unused=unused,
        how=f"{part.how}; at most {shots:,} training images a class, {len(unused):,} unused",
    )

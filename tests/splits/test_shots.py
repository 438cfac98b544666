from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import FitConfig
from pipeline.records import Split
from pipeline.splits import split_rows
from tests.feature_tables import hashes, make_table


def split_of(table, **options):
    return split_rows(table, config=FitConfig(**options))


def one_test_row(table):
    """The same table with a given split that tests on its last row and one of class 0."""
    split = np.full(len(table.labels), Split.TRAIN, np.uint8)
    split[[0, -1]] = Split.TEST
    return replace(table, split=split)


def test_at_most_so_many_of_each_class_train_and_the_test_rows_stay():
    table = make_table(n_classes=3, n_per_class=20)
    part, whole = split_of(table, shots=5), split_of(table)
    assert np.bincount(table.labels[part.train]).tolist() == [5, 5, 5]
    np.testing.assert_array_equal(part.test, whole.test)
    assert set(part.train) < set(whole.train)
    assert sorted([*part.train, *part.test, *part.unused]) == list(range(60))
    assert len(part.unused) == 33
    assert part.how.endswith("; at most 5 training images a class, 33 unused")
    assert part.notes == split_of(table, shots=16).notes == ()


@pytest.mark.parametrize("split", ["stratified", "stable"])
def test_more_shots_only_add_to_fewer(split):
    table = make_table(n_classes=2, n_per_class=60)
    trained = [set(split_of(table, split=split, shots=n).train) for n in (1, 3, 10)]
    assert trained[0] < trained[1] < trained[2]


def test_shots_are_the_seeds_and_not_the_files_order():
    table = one_test_row(make_table(n_classes=2, n_per_class=30))
    order = np.arange(60)
    order[1:-1] = np.random.default_rng(1).permutation(order[1:-1])
    other = replace(table, labels=table.labels[order], sha256=table.sha256[order])

    def trained(table, **options):
        return {table.sha256[row].tobytes() for row in split_of(table, shots=4, **options).train}

    assert trained(other) == trained(table)
    assert trained(table, seed=7) != trained(table)


def test_each_group_gives_one_image_before_any_gives_two():
    table = make_table(n_classes=2, n_per_class=40)
    sizes = np.tile([1, 2, 3, 4, 10], 4)  # two classes of ten groups
    table = one_test_row(replace(table, group=np.repeat(np.arange(20), sizes).astype(np.int32)))
    for shots in (7, 9):
        part = split_of(table, shots=shots)
        assert np.bincount(table.group[part.train]).max() == 1
    train = split_of(table, shots=16).train
    assert np.bincount(table.group[train]).max() == 2


def test_copies_are_taken_last():
    table = make_table(n_classes=2, n_per_class=30)
    image = np.concatenate([np.arange(30) // 3, np.arange(30) // 3 + 10])
    group = np.repeat([0, 1], 30).astype(np.int32)
    for groups in (np.full(60, -1, np.int32), group):
        table = one_test_row(replace(table, sha256=hashes(image), group=groups))
        train = split_of(table, shots=10).train
        assert sorted(image[train]) == list(range(20))


def test_a_class_with_fewer_is_named():
    table = make_table(n_classes=3, n_per_class=10)
    labels = np.array([0] * 10 + [1] * 15 + [2] * 5, np.int32)
    part = split_of(replace(table, labels=labels), shots=6)
    assert part.notes == ("Class 'class 2' has fewer than 6 training images, and all train.",)
    assert np.bincount(labels[part.train]).tolist() == [6, 6, 4]
    assert len(part.unused) == 30 - 16 - len(part.test)


def test_copies_that_are_not_used_leak_nothing():
    table = make_table(n_classes=2, n_per_class=30)
    image = np.arange(60)
    image[0] = image[1]
    table = one_test_row(replace(table, sha256=hashes(image)))
    assert "1 of the 2 test images" in split_of(table).notes[0]
    notes = [split_of(table, shots=1, seed=seed).notes for seed in range(3)]
    assert () in notes

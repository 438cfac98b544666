from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import ClassifierError
from pipeline.splits import describe_folds, draw_folds
from tests.feature_tables import hashes, make_table


def test_folds_are_equal_stratified_and_keep_copies_together():
    image = np.repeat(np.arange(60), 2)
    table = make_table(n_classes=3, n_per_class=40)
    table = replace(table, sha256=hashes(image))
    rows = np.arange(120)
    fold = draw_folds(table, rows, n_folds=5, seed=1)
    assert np.bincount(fold).tolist() == [24] * 5
    for k in range(5):
        assert np.bincount(table.labels[fold == k]).tolist() == [8, 8, 8]
        assert not set(image[fold == k]) & set(image[fold != k])


def test_folds_cover_only_the_rows_asked_for():
    table = make_table(n_classes=2, n_per_class=10)
    rows = np.arange(0, 20, 2)
    fold = draw_folds(table, rows, n_folds=2, seed=1)
    assert sorted(np.bincount(fold)) == [5, 5]


def test_too_many_folds_is_an_error():
    table = make_table(n_classes=2, n_per_class=3)
    with pytest.raises(ClassifierError, match="--cv 7 needs at least 7 different"):
        draw_folds(table, np.arange(6), n_folds=7, seed=1)


def grouped_table(*, n_groups=40, n_single=0):
    """Three classes; groups of six images, two of each class; single images of all classes."""
    labels = np.concatenate([np.tile([0, 0, 1, 1, 2, 2], n_groups), np.arange(n_single) % 3])
    group = np.concatenate([np.repeat(np.arange(n_groups), 6), np.full(n_single, -1)])
    table = make_table(n_classes=1, n_per_class=len(labels))
    return replace(
        table,
        labels=labels.astype(np.int32),
        class_names=("a", "b", "c"),
        group=group.astype(np.int32),
        group_names=tuple(map(str, range(n_groups))),
    )


@pytest.mark.parametrize("n_single", [0, 60])
def test_folds_keep_groups_together_and_stay_stratified(n_single):
    table = grouped_table(n_single=n_single)
    fold = draw_folds(table, np.arange(len(table.labels)), n_folds=5, seed=2**40)
    for k in range(5):
        assert not set(table.group[(fold == k) & (table.group >= 0)]) & set(table.group[fold != k])
        assert np.bincount(table.labels[fold == k]).tolist() == [16 + n_single // 15] * 3


def test_single_images_fill_up_what_groups_leave_unequal():
    table = grouped_table(n_groups=2, n_single=48)
    fold = draw_folds(table, np.arange(60), n_folds=5, seed=1)
    assert np.bincount(fold).tolist() == [12] * 5
    assert np.bincount(table.labels * 5 + fold).tolist() == [4] * 15


def test_single_images_go_where_groups_of_other_classes_are_not():
    table = make_table(n_classes=2, n_per_class=20)
    group = np.array([0] * 10 + [1] * 10 + [-1] * 3, np.int32)
    table = replace(
        table, labels=table.labels[:23], sha256=table.sha256[:23], group=group, paths=()
    )
    fold = draw_folds(table, np.arange(23), n_folds=5, seed=1)
    assert sorted(np.bincount(fold)) == [1, 1, 1, 10, 10]


def test_fewer_groups_than_folds_is_an_error():
    with pytest.raises(ClassifierError, match=r"at least 5 different .* groups.* Got 4 images or"):
        draw_folds(grouped_table(n_groups=4), np.arange(24), n_folds=5, seed=1)


def test_classes_smaller_than_the_number_of_folds_are_dealt_all_the_same():
    table = make_table(n_classes=6, n_per_class=2)
    group = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], np.int32)
    table = replace(table, labels=np.roll(table.labels, 1), group=group)
    fold = draw_folds(table, np.arange(12), n_folds=5, seed=1)
    assert set(fold) == set(range(5))
    assert (fold[::2] == fold[1::2]).all()


def test_a_class_of_one_fold_is_named():
    table = grouped_table()
    table = replace(
        table,
        labels=np.where(table.group == 7, 3, table.labels).astype(np.int32),
        class_names=("a", "b", "c", "rare"),
    )
    rows = np.arange(240)
    (note,) = describe_folds(table, rows, draw_folds(table, rows, n_folds=5, seed=1))
    assert note == (
        "Class 'rare' has all its training images in one fold: while that one is tested it cannot "
        "be predicted."
    )


def test_folds_without_such_a_class_need_no_note():
    rows = np.arange(60)
    table = make_table(n_classes=3, n_per_class=20)
    assert describe_folds(table, rows, draw_folds(table, rows, n_folds=5, seed=1)) == ()

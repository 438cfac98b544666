from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.records import Split
from pipeline.splits import split_rows
from tests.feature_tables import hashes, make_table

TRAIN, VAL, TEST, NONE = Split.TRAIN, Split.VAL, Split.TEST, Split.NONE


def split_of(table, **options):
    return split_rows(table, config=FitConfig(**options))


def with_split(*values):
    """Two classes of six rows; each class gets the six values."""
    return make_table(n_classes=2, n_per_class=6, split=np.array(values * 2, np.uint8))


def test_drawn_split_is_stratified_and_complete():
    table = make_table(n_classes=3, n_per_class=20)
    part = split_of(table)
    assert sorted([*part.train, *part.test]) == list(range(60))
    assert np.bincount(table.labels[part.test]).tolist() == [4, 4, 4]
    assert part.how == "drawn: stratified 20 %, seed 42"
    assert part.notes == ()
    assert part.unused.tolist() == []


def test_drawn_split_is_the_seeds():
    table = make_table()
    again = split_of(make_table())
    np.testing.assert_array_equal(split_of(table).test, again.test)
    assert split_of(table, seed=2**40).test.tolist() != again.test.tolist()


def test_drawn_split_does_not_depend_on_order_or_names():
    table = make_table()
    order = np.random.default_rng(1).permutation(len(table.labels))
    other = replace(
        table,
        features=table.features[order],
        labels=table.labels[order],
        sha256=table.sha256[order],
        paths=tuple(f"{i}.jpg" for i in order),
    )
    chosen = {table.sha256[row].tobytes() for row in split_of(table).test}
    assert {other.sha256[row].tobytes() for row in split_of(other).test} == chosen


def test_fault_50_copies_never_straddle_a_drawn_split():
    table = make_table(n_classes=2, n_per_class=50)
    table = replace(table, sha256=hashes(np.arange(100) // 3))
    part = split_of(table)
    image = np.arange(100) // 3
    assert not set(image[part.train]) & set(image[part.test])
    assert 10 <= len(part.test) <= 30


def test_class_of_one_trains_and_is_named():
    table = make_table(n_classes=2, n_per_class=10)
    table = replace(
        table,
        labels=np.array([0] * 10 + [1] * 9 + [2], np.int32),
        class_names=("a", "b", "rare"),
    )
    part = split_of(table)
    assert 19 in part.train
    assert part.notes == ("Class 'rare' has no test image: nothing is known of its accuracy.",)


def test_given_split_is_kept():
    part = split_of(with_split(TRAIN, TRAIN, TRAIN, TRAIN, TEST, TEST))
    assert part.test.tolist() == [4, 5, 10, 11]
    assert part.how == "given"
    assert part.notes == ()


def test_validation_rows_beside_test_rows_train():
    part = split_of(with_split(TRAIN, TRAIN, TRAIN, VAL, TEST, TEST))
    assert part.test.tolist() == [4, 5, 10, 11]
    assert len(part.train) == 8
    assert part.notes == ("2 validation images train too: nothing is tuned on them.",)


def test_validation_rows_test_where_there_are_no_test_rows():
    part = split_of(with_split(TRAIN, TRAIN, TRAIN, TRAIN, VAL, VAL))
    assert part.test.tolist() == [4, 5, 10, 11]
    assert "validation images test" in part.how


def test_rows_that_a_given_split_does_not_mention_train():
    part = split_of(with_split(NONE, TRAIN, TRAIN, TRAIN, TEST, TEST))
    assert 0 in part.train
    assert part.notes == ("2 images that the given split does not mention train.",)


@pytest.mark.parametrize("only", [TRAIN, TEST, VAL])
def test_split_with_one_side_alone_is_drawn_and_said(only):
    part = split_of(with_split(*[only] * 6))
    assert len(part.test) == 2
    assert part.how.startswith("drawn")
    assert f"names {only.name.lower()} images only" in part.notes[0]


def test_fault_50_copies_across_a_given_split_are_counted():
    table = with_split(TRAIN, TRAIN, TRAIN, TRAIN, TEST, TEST)
    table = replace(table, sha256=hashes([0, 1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 11]))
    part = split_of(table)
    assert part.test.tolist() == [4, 5, 10, 11]
    assert "1 of the 4 test images have an exact copy" in part.notes[0]


def test_one_image_under_two_labels_is_said():
    table = make_table(n_classes=2, n_per_class=5)
    table = replace(table, sha256=hashes([0, 1, 2, 3, 4, 4, 6, 7, 8, 9]))
    assert "1 image appears under more than one label" in split_of(table).notes[0]


def test_class_missing_from_the_training_rows_is_named():
    table = make_table(n_classes=3, n_per_class=4)
    split = np.where(table.labels == 2, TEST, np.tile([TRAIN, TRAIN, TRAIN, TEST], 3))
    part = split_of(replace(table, split=split.astype(np.uint8)))
    assert part.notes == ("Class 'class 2' has no training image and cannot be predicted.",)


def test_many_classes_without_test_rows_are_one_note():
    table = make_table(n_classes=9, n_per_class=1)
    labels = np.concatenate([table.labels, [7, 7, 8, 8]]).astype(np.int32)
    grown = make_table(n_classes=13, n_per_class=1)
    table = replace(grown, labels=labels, class_names=tuple("abcdefghi"))
    assert split_of(table).notes == (
        "7 classes have no test image: nothing is known of their accuracy: "
        "'a', 'b', 'c', 'd', 'e' and 2 more.",
    )


def test_fewer_than_two_classes_is_an_error_that_helps():
    with pytest.raises(
        ClassifierError, match=r"at least 2 classes.*of 1: 'class 0'.*extract again"
    ):
        split_of(make_table(n_classes=1))


def test_copies_of_a_single_image_cannot_be_split():
    table = replace(make_table(n_classes=2, n_per_class=2), sha256=hashes([0, 0, 0, 0]))
    with pytest.raises(ClassifierError, match="set aside for testing: 4 usable"):
        split_of(table)


def test_a_given_split_wins_over_a_stable_one_and_it_is_said():
    table = with_split(TRAIN, TRAIN, TRAIN, TRAIN, TEST, TEST)
    part = split_of(table, split="stable")
    assert part.how == "given"
    assert part.test.tolist() == [4, 5, 10, 11]
    assert part.notes == ("The split that the data set comes with was kept, not --split stable.",)


def test_groups_across_a_given_split_are_counted():
    table = with_split(TRAIN, TRAIN, TRAIN, TRAIN, TEST, TEST)
    group = np.array([0, 1, 1, 1, 0, 2, -1, -1, -1, -1, -1, -1], np.int32)
    part = split_of(replace(table, group=group, group_names=("p", "q", "r")))
    assert part.test.tolist() == [4, 5, 10, 11]
    assert len(part.notes) == 1
    assert part.notes[0].startswith("1 of the 4 test images belong to a group that has training")

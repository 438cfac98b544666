import time
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.splits import split_rows
from tests.feature_tables import hashes, make_table


def split_of(table, **options):
    return split_rows(table, config=FitConfig(**options))


def group_table(labels, group, **columns):
    labels, group = np.array(labels, np.int32), np.array(group, np.int32)
    return replace(
        make_table(n_classes=1, n_per_class=len(labels)),
        labels=labels,
        class_names=tuple("abcdefgh"[: labels.max() + 1]),
        group=group,
        group_names=tuple(f"g{i}" for i in range(group.max() + 1)),
        **columns,
    )


def even_table(n_groups=50):
    """Groups of four images, two of each of two classes."""
    return group_table([0, 0, 1, 1] * n_groups, np.repeat(np.arange(n_groups), 4))


def sides(table, part):
    """The groups that train and those that test."""
    return set(table.group[part.train]) - {-1}, set(table.group[part.test]) - {-1}


def test_groups_never_straddle_a_drawn_split():
    table = even_table()
    part = split_of(table)
    train, test = sides(table, part)
    assert not train & test
    assert np.bincount(table.labels[part.test]).tolist() == [20, 20]
    assert sorted([*part.train, *part.test]) == list(range(200))
    assert part.how == (
        "drawn: stratified by whole groups, 20.0 % came out of the 20 % asked for, seed 42"
    )
    assert part.notes == ("Images of one group are all on one side of the split.",)


@pytest.mark.parametrize("test_size", [0.02, 0.1, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 0.98])
def test_any_share_comes_out_of_many_groups(test_size):
    part = split_of(even_table(), test_size=test_size)
    assert len(part.test) / 200 == pytest.approx(test_size, abs=0.02)


def test_a_share_that_few_groups_cannot_give_is_said():
    part = split_of(even_table(n_groups=3))
    assert len(part.test) == 4
    assert "33.3 % came out of the 20 % asked for" in part.how


def test_grouped_draw_is_the_seeds():
    table = even_table()
    first = split_of(table).test.tolist()
    assert split_of(even_table()).test.tolist() == first
    assert split_of(table, seed=2**40).test.tolist() != first


def test_grouped_draw_does_not_depend_on_the_order_of_rows():
    table = even_table()
    order = np.random.default_rng(1).permutation(200)
    other = replace(
        table, labels=table.labels[order], group=table.group[order], sha256=table.sha256[order]
    )
    assert sides(other, split_of(other)) == sides(table, split_of(table))


def test_copies_join_groups_in_a_drawn_split():
    table = even_table()
    images = np.arange(200)
    images[4 * np.arange(1, 50, 2)] = images[4 * np.arange(0, 50, 2)]  # group 1 with 0, 3 with 2 …
    table = replace(table, sha256=hashes(images))
    part = split_of(table)
    assert not set(table.group[part.train] // 2) & set(table.group[part.test] // 2)
    assert not set(images[part.train]) & set(images[part.test])


def test_single_images_make_up_for_what_groups_are_short_of():
    group = np.concatenate([np.repeat([0, 1, 2], 20), np.full(140, -1)])
    table = group_table(np.arange(200) % 2, group)
    part = split_of(table)
    assert len(sides(table, part)[1]) == 1
    assert np.bincount(table.labels[part.test]).tolist() == [20, 20]


def test_single_images_all_train_where_groups_are_more_than_was_asked_for():
    group = np.concatenate([np.repeat([0, 1], 20), np.full(10, -1)])
    table = group_table(np.arange(50) % 2, group)
    assert len(split_of(table).test) == 20


def test_groups_of_one_image_are_split_like_images_without_groups():
    table = make_table(n_classes=3, n_per_class=20)
    grouped = replace(table, group=np.arange(60, dtype=np.int32))
    assert split_of(grouped).test.tolist() == split_of(table).test.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_a_class_of_one_group_trains_and_is_named(seed):
    table = group_table([0, 0, 1, 1] * 10 + [2] * 6, [*np.repeat(np.arange(10), 4), *[10] * 6])
    part = split_of(table, seed=seed)
    assert 10 in sides(table, part)[0]
    assert "All images of class 'c' are in one group: they train." in part.notes
    assert any(note.startswith("Class 'c' has no test image") for note in part.notes)


@pytest.mark.parametrize("seed", range(4))
def test_classes_of_one_group_train_even_where_every_fold_holds_one(seed):
    labels = [0, 0, 1, 1] * 10 + np.repeat(np.arange(2, 8), 4).tolist()
    table = group_table(labels, np.repeat(np.arange(16), 4))
    part = split_of(table, seed=seed)
    assert set(table.labels[part.train]) == set(range(8))


@pytest.mark.parametrize(("test_size", "side"), [(0.2, "test"), (0.8, "train")])
def test_a_class_of_two_images_in_two_groups_is_on_both_sides(test_size, side):
    """The share asked for is nearer to none of them on the smaller side."""
    labels, group = [0, 0, 1, 1] * 10 + [2, 2], [*np.repeat(np.arange(10), 4), 0, 1]
    for seed in range(8):
        part = split_of(group_table(labels, group), test_size=test_size, seed=seed)
        assert len({40, 41} & set(getattr(part, side))) == 1


@pytest.mark.parametrize("huge", range(5))
def test_a_huge_group_trains_where_a_small_one_comes_closer_to_the_share(huge):
    sizes = [100 if i == huge else 10 for i in range(5)]
    group = np.repeat(np.arange(5), sizes)
    assert len(split_of(group_table(np.arange(140) % 2, group)).test) == 10


@pytest.mark.parametrize("test_size", [0.01, 0.2, 0.8, 0.99])
def test_of_two_groups_one_trains_and_one_tests(test_size):
    part = split_of(group_table([0, 1] * 10, [0] * 10 + [1] * 10), test_size=test_size)
    assert len(part.train) == len(part.test) == 10


def test_groups_that_are_the_classes_are_an_error_that_helps():
    table = group_table([0] * 5 + [1] * 5 + [2] * 5, np.repeat([0, 1, 2], 5))
    with pytest.raises(ClassifierError, match=r"Each group of clouds holds all images of a class"):
        split_of(table)


def test_one_group_beside_no_other_image_cannot_be_split():
    table = group_table([0, 1] * 5, [0] * 10)
    with pytest.raises(ClassifierError, match=r"Each group of clouds.*another --group-by"):
        split_of(table)


def test_thousands_of_groups_take_a_second():
    rng = np.random.default_rng(0)
    group = rng.integers(5_000, size=20_000)
    started = time.process_time()
    part = split_of(group_table(rng.integers(5, size=20_000), group))
    assert time.process_time() - started < 5
    assert len(part.test) / 20_000 == pytest.approx(0.2, abs=0.001)

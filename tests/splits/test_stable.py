from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.splits import split_rows
from tests.feature_tables import hashes, make_table

N_OLD, N_NEW = 150, 100


def split_of(table, **options):
    return split_rows(table, config=FitConfig(split="stable", **options))


def table_of(contents, groups, *, seed=0):
    """A table of the given images; `groups` are names, "" for none, numbered in any order."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(sorted(set(groups) - {""})).tolist()
    table = make_table(n_classes=1, n_per_class=len(contents))
    return replace(
        table,
        labels=(np.arange(len(contents)) % 2).astype(np.int32),
        class_names=("a", "b"),
        sha256=hashes(contents),
        group=np.array([names.index(name) if name else -1 for name in groups], np.int32),
        group_names=tuple(names),
    )


def contents_tested(table, part):
    return {table.sha256[row].tobytes() for row in part.test}


def images(rng, n, *, of, n_groups):
    """Random images, some of them twice; copies have the same group or none."""
    contents = rng.integers(of, size=n)
    return contents, ["" if c % 3 == 0 else f"g{c % n_groups}" for c in contents]


@pytest.mark.parametrize("seed", range(20))
def test_images_that_are_added_never_move_an_old_one(seed):
    rng = np.random.default_rng(seed)
    contents, groups = images(rng, N_OLD + N_NEW, of=400, n_groups=int(rng.integers(2, 60)))
    old = table_of(contents[:N_OLD], groups[:N_OLD], seed=seed)
    order = rng.permutation(N_OLD + N_NEW)
    grown = table_of(contents[order], [groups[i] for i in order], seed=seed + 1)
    options = {"seed": seed, "test_size": 0.4}
    before, after = split_of(old, **options), split_of(grown, **options)
    known = {row.tobytes() for row in old.sha256}
    assert contents_tested(grown, after) & known == contents_tested(old, before)
    assert sorted([*after.train, *after.test]) == list(range(N_OLD + N_NEW))


def test_a_copy_without_a_group_goes_where_the_group_is():
    for seed in range(20):
        alone = table_of(range(60), ["g"] * 30 + [""] * 30)
        joined = table_of([*range(60), 0], ["g"] * 30 + [""] * 31)
        before, after = split_of(alone, seed=seed), split_of(joined, seed=seed)
        assert (0 in before.test) == (0 in after.test) == (60 in after.test)


def test_of_groups_that_a_copy_joins_the_smaller_rank_decides():
    """A group of the test side is not moved by a copy; the one that it is joined with follows."""
    moved = 0
    for seed in range(20):
        names = [""] * 40 + ["p", "p", "q", "q"]
        apart = split_of(table_of(range(44), names), seed=seed, test_size=0.5)
        joined = split_of(table_of([*range(43), 40], names), seed=seed, test_size=0.5)
        either = bool(np.isin([40, 42], apart.test).any())
        assert np.isin([40, 41, 42, 43], joined.test).tolist() == [either] * 4
        moved += int(np.isin([40, 42], apart.test).sum() == 1)
    assert moved > 3


def test_share_is_about_the_one_asked_for_and_how_says_so():
    part = split_of(make_table(n_classes=2, n_per_class=2_000))
    assert len(part.test) / 4_000 == pytest.approx(0.2, abs=0.025)
    assert part.how == "by content: about 20 % of the images, not stratified, seed 42"
    assert part.notes == ()


def test_another_seed_is_another_split():
    table = make_table(n_classes=2, n_per_class=50)
    assert split_of(table, seed=1).test.tolist() != split_of(table, seed=2).test.tolist()


def test_a_greater_share_only_adds_test_images():
    table = make_table(n_classes=2, n_per_class=100)
    small, large = (set(split_of(table, test_size=size).test) for size in (0.2, 0.4))
    assert small < large


def test_groups_are_whole_and_said():
    table = table_of(range(200), [f"g{i % 40}" for i in range(200)])
    part = split_of(table)
    assert not set(table.group[part.train]) & set(table.group[part.test])
    assert part.how.startswith("by content: about 20 % of the groups and of the images without one")
    assert part.notes[0] == "Images of one group are all on one side of the split."


def test_a_class_without_test_image_is_named():
    table = make_table(n_classes=3, n_per_class=20)
    rare = replace(table, labels=np.array([0] * 30 + [1] * 29 + [2], np.int32))
    notes = [split_of(rare, seed=seed).notes for seed in range(10)]
    assert ("Class 'class 2' has no test image: nothing is known of its accuracy.",) in notes


def test_a_side_that_stays_empty_is_an_error_that_helps():
    with pytest.raises(ClassifierError, match=r"set aside.*another --seed or --test-size"):
        split_of(make_table(n_classes=2, n_per_class=3), test_size=0.001)

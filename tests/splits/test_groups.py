import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.records import FeatureTable
from pipeline.splits import assign_groups, match_groups
from tests.feature_tables import make_table

PATHS = ("cat/p1_left_001.jpg", "cat/p2_right_002.jpg", "dog/p1_left_003.jpg", "dog/other.jpg")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"p\d", ["p1", "p2", "p1", ""]),
        (r"/(p\d)_", ["p1", "p2", "p1", ""]),
        (r"(p\d)_(left|right)", ["p1/left", "p2/right", "p1/left", ""]),
        (r"p(?:\d)_(left)?", ["left", "", "left", ""]),
        (r"^\w+", ["cat", "cat", "dog", "dog"]),
        (r"x*|left", ["", "", "", ""]),
    ],
)
def test_what_a_pattern_finds_is_the_groups_name(pattern, names):
    if any(names):
        assert match_groups(PATHS, pattern) == names
    else:
        with pytest.raises(ConfigError, match="matches none of the 4 paths"):
            match_groups(PATHS, pattern)


def test_a_pattern_that_matches_nothing_shows_two_paths():
    with pytest.raises(ConfigError, match=r"none of the 4.*cat/p1_left_001\.jpg.*dog/other\.jpg"):
        match_groups(PATHS, "patient")


def test_what_is_no_regular_expression_is_said():
    with pytest.raises(ConfigError, match=r"'\(p' is not a regular expression: missing \).*dog/o"):
        match_groups(PATHS, "(p")


def test_groups_are_numbered_by_name_and_nothing_else_changes():
    table = make_table(n_classes=2, n_per_class=2)
    grouped = assign_groups(table, ["q", "", "p", "q"])
    assert isinstance(grouped, FeatureTable)
    assert grouped.group.tolist() == [1, -1, 0, 1]
    assert grouped.group.dtype == np.int32
    assert grouped.group_names == ("p", "q")
    assert grouped.paths == table.paths
    assert table.group.tolist() == [-1] * 4


def test_one_group_of_all_images_is_refused():
    table = make_table(n_classes=2, n_per_class=2)
    with pytest.raises(ConfigError, match=r"all 4 images into one group, 'p'.*0/0000\.jpg"):
        assign_groups(table, ["p"] * 4)
    assert assign_groups(table, ["p", "p", "p", ""]).group.tolist() == [0, 0, 0, -1]

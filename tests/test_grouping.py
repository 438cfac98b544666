from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import ConfigError, DatasetError
from pipeline.grouping import group_table
from tests.feature_tables import make_table

HEAD = "path,label,patient\n"
ROWS = "0/0000.jpg,x,p2\n0/0001.jpg,x,p1\n1/0002.jpg,y,\n1/0003.jpg,y,p1\n"


@pytest.fixture
def table():
    return make_table(n_classes=2, n_per_class=2)


@pytest.fixture
def from_table(tmp_path, table):
    """The rows of a data set that came from `labels.csv`."""
    (tmp_path / "labels.csv").write_text(HEAD + ROWS)
    return replace(table, root=str(tmp_path), source="somewhere/labels.csv")


def test_a_column_of_the_table_in_the_images_folder(from_table):
    grouped, notes = group_table(from_table, "patient")
    assert grouped.group.tolist() == [1, 0, -1, 0]
    assert grouped.group_names == ("p1", "p2")
    assert notes == (
        "3 images are in 2 groups by the column 'patient' of labels.csv.",
        "1 image is in no group and split one by one.",
    )


def test_a_table_is_found_by_what_dataset_was_where_the_images_have_moved(tmp_path, from_table):
    moved = replace(from_table, root="/gone", source=str(tmp_path / "labels.csv"))
    assert group_table(moved, "patient")[0].group_names == ("p1", "p2")


def test_a_word_that_is_no_column_shows_the_columns(from_table):
    with pytest.raises(ConfigError, match=r"no such column.*'path', 'label', 'patient', or a reg"):
        group_table(from_table, "scene")


def test_a_word_without_its_table_asks_for_the_table(from_table):
    lost = replace(from_table, root="/gone", source="gone/labels.csv")
    with pytest.raises(ConfigError, match=r"gone/labels\.csv, where .* is not there any more"):
        group_table(lost, "patient")


def test_an_expression_goes_to_the_paths_though_there_is_a_table(from_table):
    grouped, notes = group_table(from_table, r"^\d")
    assert grouped.group_names == ("0", "1")
    assert notes == (r"4 images are in 2 groups by '^\d' in the paths.",)


def test_a_word_is_an_expression_where_there_never_was_a_table(table):
    grouped, notes = group_table(table, "0001")
    assert grouped.group.tolist() == [-1, 0, -1, -1]
    assert notes[1] == "3 images are in no group and split one by one."


def test_images_that_the_table_has_lost_are_in_no_group(tmp_path, from_table):
    (tmp_path / "labels.csv").write_text(HEAD + "0/0000.jpg,x,p2\n0/0001.jpg,x,p1\n")
    assert group_table(from_table, "patient")[0].group.tolist() == [1, 0, -1, -1]
    (tmp_path / "labels.csv").write_text(HEAD + "other.jpg,x,p2\n")
    with pytest.raises(DatasetError, match=r"none of the 4 images.*'0/0000\.jpg'.*extract again"):
        group_table(from_table, "patient")


def test_a_column_without_values_is_refused(tmp_path, from_table):
    (tmp_path / "labels.csv").write_text(HEAD + "0/0000.jpg,x,\n")
    with pytest.raises(ConfigError, match="no value in that column for any of the 4"):
        group_table(from_table, "patient")


def test_the_stores_own_groups(table):
    own = replace(table, group=np.array([0, 0, 1, -1], np.int32), group_names=("p", "q"))
    grouped, notes = group_table(own, "group")
    assert grouped is own
    assert notes[0] == "3 images are in 2 groups of the data set."
    with pytest.raises(ConfigError, match="clouds came without groups"):
        group_table(table, "group")


def test_groups_of_one_image_each_are_said(table):
    assert group_table(table, r"\d+\.")[1][-1] == (
        "Each group is one image: --group-by changes nothing."
    )

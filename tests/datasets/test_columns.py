import os
from pathlib import Path

import pytest

from pipeline.datasets.columns import has_column, is_table, list_columns, read_column
from pipeline.datasets.table import read_table
from pipeline.errors import DatasetError


def write_table(root: Path, text: str, name: str = "labels.csv") -> Path:
    table = root / name
    table.write_bytes(os.fsencode(text))
    return table


def test_values_come_by_the_paths_that_the_manifest_has(write_files):
    outside = write_files("1.jpg", under="elsewhere")
    root = write_files("a/2.jpg", "a/3.jpg", "train/5.PNG", "caf\udce9.jpg")
    text = (
        "id,label,patient\n"
        f"{outside}/1.jpg,x,p1\n./a//2.jpg,x, p2 \na\\3.jpg,x,\n5,x,p1\n"
        "caf\udce9.jpg,x,p3\n./gone.jpg,x,p4\n"
    )
    table = write_table(root, text)
    values = read_column(table, "patient")
    assert values == {
        "../elsewhere/1.jpg": "p1",
        "a/2.jpg": "p2",
        "a/3.jpg": "",
        "train/5.PNG": "p1",
        "caf\udce9.jpg": "p3",
        "gone.jpg": "p4",
    }
    assert set(values) == {row.path for row in read_table(table).rows}


def test_a_rows_split_tells_which_file_it_means(write_files):
    root = write_files("train/1.jpg", "test/1.jpg")
    table = write_table(root, "id,label,split,scene\n1,x,train,s1\n1,x,test,s2\n")
    assert read_column(table, "scene") == {"train/1.jpg": "s1", "test/1.jpg": "s2"}


def test_paths_count_from_where_a_linked_table_really_lies(write_files):
    root = write_files("1.jpg")
    write_table(root, "path,label,scene\n1,x,s1\n")
    link = root.parent / "link.csv"
    link.symlink_to(root / "labels.csv")
    assert read_column(link, "scene") == {"1.jpg": "s1"}


def test_json_lines_and_no_label_column_are_enough(write_files):
    text = '{"path": "1.jpg", "n": 7}\n{"path": "2.jpg", "n": null}\n'
    table = write_table(write_files("1.jpg", "2.jpg"), text, "rows.jsonl")
    assert read_column(table, "n") == {"1.jpg": "7", "2.jpg": ""}


def test_case_decides_only_between_columns_that_differ_in_nothing_else(write_files):
    root = write_files("1.jpg")
    table = write_table(root, "path,Scene,scene\n1.jpg,upper,lower\n")
    assert read_column(table, "Scene") == {"1.jpg": "upper"}
    assert read_column(table, "scene") == {"1.jpg": "lower"}
    assert read_column(table, "SCENE") == {"1.jpg": "upper"}


def test_a_column_that_is_not_there_shows_those_that_are(write_files):
    table = write_table(write_files("1.jpg"), "path,label\n1.jpg,x\n")
    with pytest.raises(DatasetError, match=r"no column 'patient'\. .*one of: 'path', 'label'"):
        read_column(table, "patient")
    assert list_columns(table) == ("path", "label")
    assert has_column(table, "LABEL")
    assert not has_column(table, "patient")


def test_a_file_that_is_listed_twice_needs_one_value(write_files):
    root = write_files("1.jpg")
    same = write_table(root, "path,label,scene\n1.jpg,x,s1\n./1.jpg,x,s1\n", "same.csv")
    assert read_column(same, "scene") == {"1.jpg": "s1"}
    other = write_table(root, "path,label,scene\n1.jpg,x,s1\n1,x,s2\n", "other.csv")
    with pytest.raises(DatasetError, match=r"lines 2 and 3 list '1\.jpg' twice.*'s1' and as 's2'"):
        read_column(other, "scene")


def test_a_value_that_is_no_word_names_its_line(write_files):
    table = write_table(write_files("1.jpg"), '{"path": "1.jpg", "n": [1, 2]}\n', "rows.jsonl")
    with pytest.raises(DatasetError, match="line 1: 'n' is a list"):
        read_column(table, "n")


def test_a_table_is_a_file_with_such_a_name(write_files):
    root = write_files("a.csv", "b.jsonl", "c.jpg", "d.csv/")
    names = ("a.csv", "b.jsonl", "c.jpg", "d.csv", "e.csv")
    assert [is_table(root / name) for name in names] == [True, True, False, False, False]

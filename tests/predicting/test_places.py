"""Names of folders and files that are made of whatever a class or a photo is called."""

import itertools
import os

import pytest

from pipeline.predicting.places import MAX_BYTES, name_folders, number_names, safe_name


@pytest.mark.parametrize("name", ["cat", "African elephant", "Katze (groß)", "猫", "007", "a.b"])
def test_what_can_be_a_name_stays_as_it_is(name):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/root", "_root"),
        ("a/b\\c", "a_b_c"),
        ("..", "class"),
        (".hidden", "hidden"),
        ("", "class"),
        ("  ", "class"),
        ("???", "class"),
        ("tab\there\n\x1b[31m", "tab_here__[31m"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("-rf", "_-rf"),
        ("trailing. ", "trailing"),
        ("C:", "C_"),
    ],
)
def test_what_cannot_is_made_harmless(name, safe):
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["x" * 500, "ä" * 500, "猫" * 200, os.fsdecode(b"\xff\xfe")])
def test_a_folder_can_be_called_so(name, tmp_path):
    safe = safe_name(name)
    assert len(safe.encode()) <= MAX_BYTES
    (tmp_path / safe).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [safe]


def test_no_two_classes_share_a_folder_even_where_case_does_not_count():
    names = ["a/b", "a_b", "A_B", "Unknown", "cat", "CAT"]
    folders = name_folders(names)
    assert folders == ["a_b", "a_b-2", "A_B-3", "Unknown-2", "cat", "CAT-2"]
    assert len({folder.casefold() for folder in folders} | {"unknown"}) == len(names) + 1


def test_numbers_stand_before_the_extension():
    assert list(itertools.islice(number_names("a.b.jpg"), 3)) == [
        "a.b.jpg",
        "a.b-2.jpg",
        "a.b-3.jpg",
    ]
    assert list(itertools.islice(number_names("noext"), 2)) == ["noext", "noext-2"]

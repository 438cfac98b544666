from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.records import Manifest, csv_path, decode_names, encode_names

NAMES = ("plain", "new\nline", 'ü, "q"', "not utf-8 \udcff", "")


def make_manifest() -> Manifest:
    return Manifest(
        name="some",
        root=Path("somewhere"),
        paths=("a.jpg", "b.jpg"),
        labels=np.array([0, 1], np.int32),
        class_names=("cat", "dog"),
        split=np.array([0, 0], np.uint8),
        group=np.array([-1, -1], np.int32),
        group_names=(),
        size=np.array([1, 1], np.int64),
        sha256=np.zeros((2, 32), np.uint8),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"paths": ("a.jpg", "c.jpg")},
        {"labels": np.array([1, 0], np.int32)},
        {"class_names": ("cat", "hound")},
        {"split": np.array([1, 3], np.uint8)},
        {"group": np.array([0, 0], np.int32)},
        {"group_names": ("one patient",)},
        {"sha256": np.ones((2, 32), np.uint8)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_row_is_makes_another_digest(change):
    assert replace(make_manifest(), **change).digest != make_manifest().digest


def test_where_the_data_lies_and_what_was_ignored_make_the_same_digest():
    moved = replace(make_manifest(), root=Path("elsewhere"), name="other", ignored={"hidden": 3})
    assert moved.digest == make_manifest().digest


def test_names_of_any_bytes_survive():
    assert decode_names(encode_names(NAMES)) == NAMES
    assert decode_names(encode_names(())) == ()


@pytest.mark.parametrize("start", "=+-@\t\r")
def test_a_path_that_a_spreadsheet_would_run_still_names_the_file(start):
    assert csv_path(f"{start}x.jpg") == f"./{start}x.jpg"
    assert csv_path(f"a/{start}x.jpg") == f"a/{start}x.jpg"

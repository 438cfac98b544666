import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import StoreWriter, read_outline
from pipeline.errors import CacheNotFoundError
from pipeline.records import Split
from pipeline.stages.diff import ValuesDiff, diff_stores
from tests.made_stores import PATHS, make_store


def compare(tmp_path, old=None, new=None):
    a = make_store(tmp_path / "a", **(old or {}))
    b = make_store(tmp_path / "b", **(new or {}))
    return diff_stores(a, b)


def test_two_that_are_the_same(tmp_path):
    found = compare(tmp_path)
    assert (found.recipe, found.versions, found.about) == ({}, {}, {})
    assert found.same_images
    assert (found.n_common, found.values.n_identical) == (12, 12)
    assert found.meaning == (
        "Same recipe; same images; the values of the 12 common images are identical."
    )
    assert json.loads(json.dumps(found.to_dict()))["meaning"] == found.meaning


def test_images_that_changed(tmp_path):
    old = {path: path for path in PATHS}
    new = {path: path for path in PATHS[4:]}
    new |= {PATHS[3]: "other", "cat/x.jpg": PATHS[2], "dog/y.jpg": PATHS[1], "dog/z.jpg": "new"}
    found = compare(tmp_path, {"contents": old}, {"contents": dict(sorted(new.items()))})
    assert found.only_a == (PATHS[0],)
    assert found.only_b == ("dog/z.jpg",)
    assert found.changed == (PATHS[3],)
    assert found.renamed == ((PATHS[1], "dog/y.jpg"), (PATHS[2], "cat/x.jpg"))
    assert found.labels == (("dog/y.jpg", "cat", "dog"),)
    assert found.n_rows == (12, 12)
    assert found.values.n_rows == 10
    assert found.meaning == (
        "Same recipe; 1 image was added, 1 removed, 1 changed, 2 renamed, 1 given another label; "
        "the values of the 10 common images are identical."
    )


def test_the_digest_of_the_images_is_no_difference_of_the_recipe(tmp_path):
    found = compare(tmp_path, {"contents": {"c/1": 1}}, {"contents": {"c/1": 1, "c/2": 2}})
    assert found.recipe == {}
    assert found.meaning.startswith("Same recipe; 1 image was added; the values of the 1 common")


def test_recipe_and_libraries_old_to_new(tmp_path):
    found = compare(
        tmp_path,
        {"versions": {"keras": "1", "numpy": "2"}},
        {"versions": {"keras": "1", "pillow": "3"}, "recipe": {"precision": "bfloat16"}},
    )
    assert found.recipe == {"precision": ("float32", "bfloat16")}
    assert found.versions == {"numpy": ("2", None), "pillow": (None, "3")}
    assert found.values is None
    assert found.meaning == (
        "Another recipe (precision); same images; values of different recipes must not stand in "
        "one table."
    )


def test_labels_splits_classes_and_folders(tmp_path):
    found = compare(
        tmp_path,
        {"split": Split.TRAIN},
        {"split": Split.TEST, "labels": {PATHS[2]: "lynx"}, "root": "/other"},
    )
    assert found.labels == ((PATHS[2], "cat", "lynx"),)
    assert found.splits == tuple((path, "train", "test") for path in PATHS)
    assert found.about == {
        "root": ("/photos", "/other"),
        "class_names": (["cat", "dog"], ["cat", "dog", "lynx"]),
    }
    assert "1 image was given another label, 12 moved to another split" in found.meaning


def test_an_image_with_values_in_one_only(tmp_path):
    contents = {path: path for path in PATHS}
    unread = contents | {PATHS[5]: None}
    found = compare(tmp_path, {"contents": contents}, {"contents": unread, "bad": PATHS[:1]})
    assert found.states == (
        (PATHS[0], "ok", "corrupt or truncated image"),
        (PATHS[5], "ok", "cannot be read"),
    )
    assert found.n_common == 12
    assert found.values.n_rows == 10
    assert "2 images with values in one store only" in found.meaning


def test_a_store_that_was_reopened_is_not_damaged(tmp_path, small_blocks):
    a, b = make_store(tmp_path / "a"), make_store(tmp_path / "b")
    StoreWriter(b, read_outline(b).about.recipe).reopen(np.arange(4, 8))
    there_and_back = [diff_stores(a, b), diff_stores(b, a)]
    for found in there_and_back:
        assert (found.values.n_rows, found.values.n_identical) == (8, 8)
        assert [path for path, *_ in found.states] == list(PATHS[4:8])
    assert there_and_back[0].states[0][1:] == ("ok", "not extracted yet")


def test_values_that_differ(tmp_path):
    def tweak(values):
        values = values.copy()
        values[3, 0] += 1
        return values

    found = compare(tmp_path, {}, {"tweak": tweak})
    assert found.values.n_identical == 11
    assert found.values.worst_path == PATHS[3]
    cosine = f"{found.values.worst_cosine:.6f}"
    assert found.meaning.endswith(
        f"the values of the 12 common images differ in 1 of them, with a cosine of {cosine} at "
        "worst."
    )


def test_nothing_in_common(tmp_path):
    found = compare(tmp_path, {"contents": {"c/1": 1}}, {"contents": {"c/2": 2}})
    assert found.meaning == (
        "Same recipe; 1 image was added, 1 removed; no image has values in both."
    )
    none = ValuesDiff(
        n_rows=0, n_identical=0, worst_cosine=1.0, largest_difference=0.0, worst_path=""
    )
    assert found.values == none
    assert replace(found, values=None).to_dict()["values"] is None


def test_progress_and_errors(tmp_path, small_blocks):
    a = make_store(tmp_path)
    seen = []
    diff_stores(a, a, on_progress=lambda *args: seen.append(args))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    part = make_store(tmp_path / "part", blocks=2)
    diff_stores(part, a, on_progress=lambda *args: seen.append(args))
    assert seen[3:] == [(1, 2), (2, 2)]
    with pytest.raises(CacheNotFoundError, match="nothing"):
        diff_stores(a, tmp_path / "nothing.zarr")

import os
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline import cache
from pipeline.errors import CacheCorruptError
from pipeline.records import Oddity, Split
from pipeline.stages.stores import describe_store, list_cache, tell_apart
from tests.made_stores import PATHS, WIDTH, flip_a_byte, make_store


def test_a_line_a_store(tmp_path):
    path = make_store(tmp_path)
    os.utime(path / "zarr.json", (1_700_000_000, 1_700_000_000))
    (path.with_suffix(".fits") / "knn-00000000").mkdir(parents=True)
    (path.with_suffix(".fits") / "knn-00000000" / "model.json").touch()
    (path.with_suffix(".fits") / ".knn-00000000.0123abcd.partial").mkdir()
    (entry,) = list_cache(tmp_path)
    assert (entry.path, entry.dataset, entry.model) == (path, "pets", "efficientnet-lite0")
    assert (entry.n_rows, entry.width, entry.state, entry.done) == (12, WIDTH, "complete", 1.0)
    assert (entry.n_fits, entry.unlike, entry.holder, entry.problem) == (1, (), "", "")
    assert entry.n_bytes == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    assert entry.used == datetime.fromtimestamp(1_700_000_000, UTC)
    assert entry.to_dict()["used"] == "2023-11-14T22:13:20+00:00"


def test_what_is_not_complete_says_how_far_it_is_and_who_is_at_it(tmp_path, small_blocks):
    path = make_store(tmp_path, blocks=2)
    (entry,) = list_cache(tmp_path)
    assert (entry.state, entry.done, entry.holder) == ("incomplete", 2 / 3, "")
    with cache.lock_store(path):
        (entry,) = list_cache(tmp_path)
    assert (entry.state, entry.holder) == ("writing", f"process {os.getpid()}")


def test_a_complete_store_that_is_made_anew_is_still_complete(tmp_path):
    path = make_store(tmp_path)
    with cache.lock_store(path):
        (entry,) = list_cache(tmp_path)
    assert (entry.state, entry.holder) == ("complete", f"process {os.getpid()}")


def test_a_damaged_store_does_not_vanish(tmp_path):
    path = make_store(tmp_path)
    (path / "labels" / "zarr.json").write_text("{}")
    assert cache.list_stores(tmp_path) == []
    (entry,) = list_cache(tmp_path)
    assert (entry.state, entry.dataset, entry.model) == ("damaged", "pets", "efficientnet-lite0")
    assert path.stem.endswith(entry.key)
    assert str(path) in entry.problem
    assert "\n" not in entry.problem
    assert entry.n_bytes > 0


def test_of_a_store_that_is_not_complete_the_commits_may_be_damaged(tmp_path, small_blocks):
    path = make_store(tmp_path, blocks=2)
    flip_a_byte(path, "commit/c/1/0")
    (entry,) = list_cache(tmp_path)
    assert entry.state == "damaged"
    assert "commit" in entry.problem


def test_only_some(tmp_path):
    make_store(tmp_path)
    make_store(tmp_path, dataset="birds")
    make_store(tmp_path, recipe={"model": "vgg16"})
    damaged = tmp_path / "birds" / "vgg16-00000000.zarr"
    damaged.mkdir()
    assert len(list_cache(tmp_path)) == 4
    assert {e.dataset for e in list_cache(tmp_path, dataset="birds")} == {"birds"}
    assert len(list_cache(tmp_path, dataset="birds")) == 2
    assert [e.path for e in list_cache(tmp_path, dataset="birds", model="vgg16")] == [damaged]
    assert list_cache(tmp_path / "nothing") == []


BACKBONE = {"model": "vgg16", "layers": [], "input_size": 224, "resize": "crop"}
RECIPE = {
    "backbones": [BACKBONE],
    "pooling": "avg",
    "augment": "none",
    "views": 1,
    "precision": "float32",
    "dtype": "float32",
}
LITE0 = {**BACKBONE, "model": "efficientnet-lite0", "layers": ["top"], "input_size": 150}


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        ({}, {}, ()),
        ({"backbones": [{**BACKBONE, "input_size": 150}]}, {}, ("150 px",)),
        ({"backbones": [{**BACKBONE, "resize": "squash"}]}, {}, ("squash",)),
        ({"backbones": [{**BACKBONE, "layers": ["a", "b"]}]}, {}, ("layer a", "layer b")),
        ({"backbones": [BACKBONE, LITE0]}, {}, ("150 px", "layer top")),
        ({"pooling": "none"}, {}, ("pooling none",)),
        ({"augment": "hflip"}, {}, ("mirrored and averaged",)),
        ({"augment": "hflip", "views": 2}, {}, ("mirrored beside",)),
        ({"precision": "bfloat16", "dtype": "float16"}, {}, ("bfloat16", "kept as float16")),
        ({}, {"weights": "random", "limit": 5}, ("weights random", "limit 5")),
        ({}, {"weights": "/my/own.h5"}, ("weights own.h5",)),
        ({"backbones": [{**BACKBONE, "model": "of the future"}]}, {}, ("224 px", "crop")),
    ],
)
def test_what_sets_a_store_apart(recipe, settings, words):
    assert tell_apart({**RECIPE, **recipe}, {"settings": settings}) == words


class TestDescribe:
    def test_rows_add_up(self, tmp_path, small_blocks):
        contents = {path: path for path in PATHS} | {PATHS[0]: None}
        oddities = np.zeros(12, np.uint16)
        oddities[[3, 4, 7]] = [Oddity.GREY, Oddity.GREY | Oddity.CMYK, Oddity.CMYK]
        path = make_store(tmp_path, contents, bad=(PATHS[7],), oddities=oddities, split=Split.TRAIN)
        found = describe_store(path)
        assert found.by_class == {"cat": 5, "dog": 5}
        assert found.by_split == {"train": 10}
        assert found.skipped == {"cannot be read": 1, "corrupt or truncated image": 1}
        assert found.oddities == {"CMYK, converted to RGB": 1, "grey": 2}
        assert found.n_usable == 10
        assert (found.n_committed, found.n_blocks, found.block_length) == (3, 3, 4)
        assert found.value_bytes == 12 * WIDTH * 4
        assert found.stored_bytes == cache.count_bytes(path / "features" / "c")
        assert found.ratio == found.value_bytes / found.stored_bytes
        assert found.command == (
            f"extract --dataset pets --model efficientnet-lite0 --cache-dir {tmp_path}"
        )
        assert found.root == "/photos"
        assert len(found.content_sha256) == 64
        assert found.to_dict()["entry"]["path"] == str(path)

    def test_a_store_that_is_not_complete(self, tmp_path, small_blocks):
        path = make_store(tmp_path, blocks=1, recipe={"dtype": "float16"})
        found = describe_store(path)
        assert found.skipped == {"not extracted yet": 8}
        assert (found.n_committed, found.value_bytes) == (1, 4 * WIDTH * 2)
        assert (found.content_sha256, found.oddities) == ("", {})

    def test_a_store_that_was_reopened(self, tmp_path, small_blocks):
        path = make_store(tmp_path, bad=PATHS[:1], oddities=np.full(12, Oddity.GREY, np.uint16))
        recipe = cache.read_outline(path).about.recipe
        cache.StoreWriter(path, recipe).reopen(np.arange(8, 12))
        found = describe_store(path)
        assert (found.n_usable, found.n_committed) == (7, 2)
        assert found.by_class == {"cat": 5, "dog": 2}
        assert found.skipped == {"corrupt or truncated image": 1, "not extracted yet": 4}
        assert found.oddities == {"grey": 7}
        assert found.value_bytes == 8 * WIDTH * 4

    def test_a_damaged_store_is_refused(self, tmp_path):
        path = make_store(tmp_path)
        flip_a_byte(path, "sample/sha256/c/0/0")
        with pytest.raises(CacheCorruptError, match=path.name):
            describe_store(path)


def test_fifty_stores_are_listed_soon(tmp_path, monkeypatch):
    path = make_store(tmp_path)
    for i in range(50):
        shutil.copytree(path, path.with_name(f"vgg16-{i:08}.zarr"))
    from pipeline.cache import outline

    monkeypatch.setattr(outline, "open_store", None)  # would take 12 ms each
    assert len(list_cache(tmp_path)) == 51

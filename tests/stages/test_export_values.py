import gc
import json
import weakref

import numpy as np
import pytest

from pipeline import cache
from pipeline.cache import StoreWriter, read_outline
from pipeline.errors import CacheCorruptError, CacheError, CacheIncompleteError, PipelineError
from pipeline.stages import export_values as export_stage
from pipeline.stages.export_values import export_store
from tests.made_stores import PATHS, flip_a_byte, make_store, values_of


def test_only_rows_with_values_and_all_of_them(tmp_path, small_blocks):
    store = make_store(tmp_path, bad=(PATHS[0], *PATHS[4:8]))
    to, seen = tmp_path / "out", []
    found = export_store(store, to, "npy", on_progress=lambda *args: seen.append(args))
    kept = [1, 2, 3, 8, 9, 10, 11]
    assert (np.load(to / "features.npy") == values_of(PATHS)[kept]).all()
    assert json.loads((to / "paths.json").read_bytes()) == [PATHS[row] for row in kept]
    assert np.load(to / "labels.npy").tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert (found.n_rows, found.n_features, found.n_skipped) == (7, 5, 5)
    assert found.n_bytes == cache.count_bytes(to)
    assert seen == [(3, 7), (7, 7)]
    about = json.loads((to / "recipe.json").read_bytes())
    info = cache.read_info(store)
    assert (about["key"], about["recipe"]) == (info.key, info.recipe)
    assert about["content_sha256"] == info.content_sha256
    table = cache.read_features(store)
    assert (np.load(to / "features.npy") == table.features).all()
    assert json.loads((to / "classes.json").read_bytes()) == list(table.class_names)


def test_values_kept_in_half_precision_are_exported_in_single(tmp_path):
    store = make_store(tmp_path, recipe={"dtype": "float16"})
    export_store(store, tmp_path / "out", "npy")
    found = np.load(tmp_path / "out" / "features.npy")
    assert found.dtype == np.float32
    assert (found == values_of(PATHS).astype(np.float16)).all()


@pytest.mark.parametrize("format_name", ["npy", "csv", "parquet"])
def test_a_damaged_block_ends_it_and_nothing_is_left(tmp_path, small_blocks, format_name):
    store = make_store(tmp_path)
    flip_a_byte(store, "features/c/2/0")
    (tmp_path / "out").mkdir()
    with pytest.raises(CacheCorruptError, match="block 2"):
        export_store(store, tmp_path / "out" / "x", format_name)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("format_name", ["npy", "csv", "parquet"])
@pytest.mark.parametrize("block", [0, 1])
def test_a_store_that_is_reopened_meanwhile_gives_no_export(
    tmp_path, small_blocks, format_name, block
):
    store = make_store(tmp_path)
    writer = StoreWriter(store, read_outline(store).about.recipe)
    (tmp_path / "out").mkdir()

    def reopen(done, _):
        if done == 4:
            writer.reopen(np.arange(4) + 4 * block)

    with pytest.raises(CacheError, match=r"written while it was being read. Run this again"):
        export_store(store, tmp_path / "out" / "x", format_name, on_progress=reopen)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_store_that_is_not_complete_says_how_to_go_on(tmp_path, small_blocks):
    store = make_store(tmp_path, blocks=1)
    with pytest.raises(CacheIncompleteError, match="Finish it first: extract --dataset pets"):
        export_store(store, tmp_path / "out", "npy")


def test_what_is_in_the_way_is_seen_before_the_store_is_read(tmp_path):
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(PipelineError, match="there already"):
        export_store(tmp_path / "nothing.zarr", tmp_path / "out.csv", "csv")
    store = make_store(tmp_path)
    export_store(store, tmp_path / "out.csv", "csv", overwrite=True)
    assert (tmp_path / "out.csv").read_text().startswith("path,label,split,sha256,f0")


@pytest.mark.parametrize("format_name", ["npy", "csv", "parquet"])
def test_at_most_two_blocks_are_in_memory(tmp_path, small_blocks, monkeypatch, format_name):
    contents = {f"cat/{i:03}.jpg": i for i in range(80)}
    store = make_store(tmp_path, contents)
    made, most = [], []
    real = export_stage._iter_values

    class Tracked(np.ndarray):
        pass

    def watched(*args):
        for block in real(*args):
            tracked = block.view(Tracked)
            made.append(weakref.ref(tracked))
            del block
            gc.collect()
            most.append(sum(ref() is not None for ref in made))
            yield tracked
            del tracked

    monkeypatch.setattr(export_stage, "_iter_values", watched)
    export_store(store, tmp_path / "out", format_name)
    assert len(most) == 20
    assert max(most) <= 2

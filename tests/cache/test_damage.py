"""Stores that are damaged, altered by hand, unreadable or in an odd place."""

import json
import shutil

import numpy as np
import pytest
import zarr

from pipeline import cache
from pipeline.cache.writer import StoreWriter
from pipeline.errors import CacheCorruptError, CacheError, CacheNotFoundError
from pipeline.records import Recipe
from tests.cache.test_cache import fill, make_manifest
from tests.made_stores import make_recipe, write_block

READERS = (cache.read_info, cache.read_states, cache.read_features)


@pytest.fixture
def store(tmp_path):
    """A complete store of little data, beside which `broken` may lie."""
    return make_store(tmp_path)


def make_store(tmp_path, dataset="some-photos", width=4):
    manifest = make_manifest()
    path = cache.store_path(tmp_path / "cache", dataset, make_recipe(manifest))
    cache.create_store(path, manifest, make_recipe(manifest), width=width, provenance={})
    writer = StoreWriter(path, make_recipe(manifest))
    for rows in writer.pending:
        write_block(writer, rows, np.ones((len(rows), width), np.float32))
    writer.finish()
    return path


def edit(store, change):
    file = store / "zarr.json"
    content = json.loads(file.read_text())
    change(content["attributes"])
    file.write_text(json.dumps(content))


class TestDamage:
    @pytest.mark.parametrize(
        "name", ["features", "status", "commit", "labels", "sample", "sample/size"]
    )
    def test_a_missing_array_is_named_and_spares_the_other_stores(self, tmp_path, store, name):
        broken = make_store(tmp_path, "other")
        shutil.rmtree(broken / name)
        for read in READERS:
            with pytest.raises(CacheCorruptError, match=f"{broken}: {name}.*--overwrite"):
                read(broken)
        assert [info.path for info in cache.list_stores(tmp_path / "cache")] == [store]
        assert cache.find_store(tmp_path / "cache") == store

    @pytest.mark.parametrize(
        "name",
        [
            "key",
            "recipe",
            "provenance",
            "dataset",
            "complete",
            "content_sha256",
            "class_names",
            "group_names",
        ],
    )
    @pytest.mark.parametrize("value", [7, [1], {"a": 1}])
    def test_an_attribute_that_is_missing_or_of_the_wrong_kind(self, tmp_path, store, name, value):
        for change in (lambda a: a.update({name: value}), lambda a: a.pop(name)):
            edit(store, change)
            for read in READERS:
                with pytest.raises(CacheCorruptError, match=str(store)):
                    read(store)
            assert cache.list_stores(tmp_path / "cache") == []

    def test_a_field_of_the_recipe_that_this_version_does_not_know(self, store):
        edit(store, lambda a: a["recipe"].update(colour_of_the_moon="red"))
        with pytest.raises(CacheCorruptError, match="colour_of_the_moon"):
            cache.read_info(store)

    def test_an_array_of_another_form(self, store):
        for name in ("labels", "status", "commit", "features"):
            file = store / name / "zarr.json"
            good = file.read_text()
            content = json.loads(good)
            content["shape"][0] = 1 << 40
            file.write_text(json.dumps(content))
            with pytest.raises(CacheCorruptError, match="expected ArrayForm"):
                cache.read_info(store)
            file.write_text(good)

    def test_a_chunk_that_the_system_does_not_let_read_is_not_called_damaged(self, store):
        chunk = store / "features/c/0/0"
        chunk.unlink()
        chunk.symlink_to(chunk.name)  # a loop: ELOOP, for root too
        with pytest.raises(
            CacheError, match=r"Cannot read .*features/c/0/0 \(features, block 0 .*\): .*errno"
        ) as caught:
            cache.read_features(store)
        assert not isinstance(caught.value, CacheCorruptError)
        assert "--overwrite" not in str(caught.value)

    @pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "EIO")])
    def test_the_file_is_named_even_if_the_system_does_not(self, store, monkeypatch, error):
        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr(zarr.Array, "__getitem__", fail)
        with pytest.raises(
            CacheError, match=rf"{store}/sample/paths \(sample/paths\): {error.strerror}"
        ) as caught:
            cache.read_features(store)
        assert "--overwrite" not in str(caught.value)


class TestAltered:
    @pytest.mark.parametrize(("field", "value"), [("model", "vgg16"), ("input_size", 225)])
    def test_the_recipe(self, store, field, value):
        edit(store, lambda a: a["recipe"]["backbones"][0].update({field: value}))
        for read in READERS:
            with pytest.raises(CacheCorruptError, match="the recipe was altered"):
                read(store)

    def test_the_recipe_together_with_its_key(self, store):
        def change(attributes):
            attributes["recipe"]["backbones"][0]["model"] = "vgg16"
            attributes["key"] = Recipe.from_dict(attributes["recipe"]).key

        edit(store, change)
        with pytest.raises(CacheCorruptError, match=r"block 0 .* is not what was written"):
            cache.read_features(store)

    @pytest.mark.parametrize(
        "change",
        [
            lambda a: a.update(dataset="other"),
            lambda a: a.update(class_names=["b", "a"]),
            lambda a: a.update(group_names=["g"]),
            lambda a: a["provenance"].update(root="/elsewhere"),
        ],
    )
    def test_what_a_complete_store_says_of_its_rows(self, store, change):
        edit(store, change)
        with pytest.raises(CacheCorruptError, match="changed after writing"):
            cache.read_features(store)

    def test_a_store_that_was_moved_is_still_good(self, tmp_path, store):
        moved = tmp_path / "moved.zarr"
        store.rename(moved)
        assert len(cache.read_features(moved).features) == 70


class TestOddPlaces:
    def test_a_link_is_not_deleted(self, tmp_path, store):
        real = tmp_path / "bigger-disk"
        store.rename(real)
        store.symlink_to(real)
        assert cache.read_info(store).complete
        with (
            cache.lock_store(store),
            pytest.raises(CacheError, match=r"symbolic link to .*bigger-disk.*yourself"),
        ):
            cache.overwrite_path(store)
        assert cache.read_info(store).complete
        assert {p.name for p in store.parent.iterdir()} <= {store.name, store.stem + ".lock"}

    def test_a_file_is_not_deleted(self, tmp_path):
        path = tmp_path / "x.zarr"
        path.write_text("mine")
        with pytest.raises(CacheError, match="not a folder"):
            cache.overwrite_path(path)
        assert path.read_text() == "mine"

    def test_leftovers_that_are_links_or_files_are_unlinked_and_not_followed(self, tmp_path):
        path, kept = tmp_path / "x.zarr", tmp_path / "kept"
        kept.mkdir()
        (kept / "file").write_text("")
        link = tmp_path / ".x.zarr.11111111.partial"
        link.symlink_to(kept)
        file = tmp_path / ".x.zarr.22222222.partial"
        file.write_text("")
        dangling = tmp_path / ".x.zarr.33333333.partial"
        dangling.symlink_to("nowhere")
        with cache.lock_store(path):
            pass
        assert not any(p.is_symlink() or p.exists() for p in (link, file, dangling))
        assert (kept / "file").exists()

    @pytest.mark.parametrize("where", ["{}/x.zarr", "d/{}.zarr"])
    def test_names_that_are_too_long(self, tmp_path, where):
        path = tmp_path / where.format("n" * 300)
        (tmp_path / "d").mkdir()
        for read in READERS:
            with pytest.raises(CacheError, match=r"too long.*--cache-dir"):
                read(path)
        with pytest.raises(CacheError, match=r"too long.*--cache-dir"), cache.lock_store(path):
            pass
        with pytest.raises(CacheError, match="too long"):
            cache.list_stores(tmp_path / ("n" * 300))

    @pytest.mark.parametrize("blocks", [0, 1, 3])
    def test_a_cache_that_vanishes_is_noticed_and_not_made_anew(self, tmp_path, blocks):
        manifest = make_manifest()
        path = cache.store_path(tmp_path / "cache", "x", make_recipe(manifest))
        writer = fill(path, manifest, make_recipe(manifest), blocks=blocks)
        rows = np.arange(32)
        shutil.rmtree(tmp_path / "cache")
        values = np.ones((32, writer._features.shape[1]), np.float32)
        with pytest.raises(CacheError, match="vanished while it was being written"):
            write_block(writer, rows, values)
        with pytest.raises(CacheError, match="vanished while it was being written"):
            writer.finish()
        assert not path.exists()


class TestFindingTheLastUsed:
    def test_a_store_that_is_marked_is_the_newest(self, tmp_path, store):
        other = make_store(tmp_path, "later")
        assert cache.find_store(tmp_path / "cache") == other
        cache.mark_used(store)
        assert cache.find_store(tmp_path / "cache") == store

    def test_marking_where_nothing_can_be_written_is_no_error(self, tmp_path):
        cache.mark_used(tmp_path / "no.zarr")

    def test_an_unfinished_one_is_to_be_finished(self, tmp_path):
        manifest = make_manifest()
        path = cache.store_path(tmp_path / "cache", "some-photos", make_recipe(manifest))
        fill(path, manifest, make_recipe(manifest), blocks=1)
        with pytest.raises(CacheNotFoundError, match=r"has not finished. Run the same extract"):
            cache.find_store(tmp_path / "cache", dataset="some-photos")
        with pytest.raises(CacheNotFoundError, match="Run: extract --dataset other"):
            cache.find_store(tmp_path / "cache", dataset="other")

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline import cache
from pipeline.cache import layout
from pipeline.cache.writer import StoreWriter
from pipeline.errors import (
    CacheCorruptError,
    CacheError,
    CacheIncompleteError,
    CacheMismatchError,
    CacheNotFoundError,
)
from pipeline.records import (
    FORMAT_VERSION,
    BackboneRecipe,
    Manifest,
    Recipe,
    Split,
    Status,
    describe_augment,
    flatten_recipe,
)
from tests.made_stores import make_recipe, write_block

NAMES = ("a/=1.jpg", "a/new\nline.jpg", "b/\udcff.jpg", 'b/ü, "q".jpg')


def make_manifest(n: int = 70) -> Manifest:
    random = np.random.default_rng(0)
    paths = NAMES + tuple(f"b/{i:04}.jpg" for i in range(n - len(NAMES)))
    labels = np.array([0 if path.startswith("a/") else 1 for path in paths], np.int32)
    return Manifest(
        name="some-photos",
        root=Path("nowhere"),
        paths=paths,
        labels=labels,
        class_names=("a", "b\udcff"),
        split=np.full(n, Split.TRAIN, np.uint8),
        group=np.full(n, -1, np.int32),
        group_names=(),
        size=np.arange(n, dtype=np.int64),
        sha256=random.integers(0, 256, (n, 32), dtype=np.uint8),
        ignored={"hidden": 2},
    )


WIDTH = 32_768  # 128 KiB a row: blocks of 32


def values_of(manifest: Manifest) -> np.ndarray:
    rows = np.arange(len(manifest), dtype=np.float32)[:, None]
    return rows + np.linspace(0, 0.5, WIDTH, dtype=np.float32)


@pytest.fixture
def manifest():
    return make_manifest()


@pytest.fixture
def recipe(manifest):
    return make_recipe(manifest)


def fill(path, manifest, recipe, *, bad=(), blocks=None):
    if not path.exists():
        cache.create_store(path, manifest, recipe, width=WIDTH, provenance={"engine": "fake"})
    writer = StoreWriter(path, recipe)
    status = np.zeros(len(manifest), np.uint8)
    status[list(bad)] = Status.CORRUPT
    for rows in writer.pending[:blocks]:
        write_block(writer, rows, values_of(manifest)[rows], status[rows])
    return writer


@pytest.fixture
def store(tmp_path, manifest, recipe):
    path = cache.store_path(tmp_path / "cache", manifest.name, recipe)
    fill(path, manifest, recipe, bad=[1, 69]).finish()
    return path


@pytest.mark.parametrize(
    ("row_bytes", "rows"),
    [
        (4, 256),
        (1280 * 4, 256),
        (8192 * 4, 128),
        (32_768 * 4, 32),
        (100_352 * 4, 32),
        (1 << 30, 32),
    ],
)
def test_a_block_is_a_power_of_two_below_4_mib(row_bytes, rows):
    assert cache.block_length(row_bytes) == rows


class TestStore:
    def test_what_is_read_is_what_was_written_row_for_row(self, store, manifest, recipe):
        table = cache.read_features(store)
        kept = np.delete(np.arange(70), [1, 69])
        assert np.array_equal(table.features, values_of(manifest)[kept])
        assert table.features.dtype == np.float32
        assert table.paths == tuple(manifest.paths[i] for i in kept)
        assert np.array_equal(table.labels, manifest.labels[kept])
        assert np.array_equal(table.sha256, manifest.sha256[kept])
        assert np.array_equal(table.split, manifest.split[kept])
        assert table.class_names == ("a", "b\udcff")
        assert (table.dataset, table.model, table.key) == (
            "some-photos",
            "efficientnet-lite0",
            recipe.key,
        )
        assert table.n_found == 70
        assert table.skipped == {"corrupt or truncated image": 2}

    def test_the_paths_are_decoded_once_not_once_a_row(self, store, monkeypatch):
        calls = []
        monkeypatch.setattr(layout, "decode_names", lambda blob: calls.append(1) or ("x",) * 70)
        cache.read_features(store)
        assert len(calls) == 1

    def test_it_is_plain_zarr_that_anyone_can_read(self, store, manifest):
        group = zarr.open_group(store, mode="r")
        features = group["features"]
        assert features.chunks == (32, WIDTH)
        assert np.isnan(features.fill_value)
        assert [type(c).__name__ for c in features.compressors] == ["ZstdCodec", "Crc32cCodec"]
        assert features[:].shape == (70, WIDTH)
        assert np.isnan(features[1]).all()
        assert group["labels"][:].tolist() == manifest.labels.tolist()
        assert group["commit"].chunks == (1, 32)
        assert group["sample/sha256"].shape == (70, 32)
        assert not (store / "zarr.json").read_text().count("consolidated_metadata")

    def test_an_unwritten_row_reads_as_nan_never_as_zero(self, tmp_path, manifest, recipe):
        path = cache.store_path(tmp_path, "x", recipe)
        fill(path, manifest, recipe, blocks=1)
        assert np.isnan(zarr.open_group(path, mode="r")["features"][40]).all()

    def test_its_place_is_dataset_model_and_key(self, tmp_path, recipe):
        path = cache.store_path(tmp_path, "photos", recipe)
        assert path == tmp_path / "photos" / f"efficientnet-lite0-{recipe.key[:8]}.zarr"

    def test_the_skipped_are_listed_safely(self, tmp_path, manifest, store):
        status = np.zeros(70, np.uint8)
        status[[1, 2, 3]] = Status.CORRUPT
        paths = ("=cmd()", *manifest.paths[1:])
        status[0] = Status.EMPTY
        cache.write_skipped(store, paths, status)
        listed = cache.skipped_csv(store)
        assert listed.name == store.stem + ".skipped.csv"
        text = listed.read_bytes()
        assert text.startswith(b"path,reason\r\n./=cmd(),zero bytes\r\n")
        assert b"b/\xff.jpg" in text
        cache.write_skipped(store, paths, np.zeros(70, np.uint8))
        assert not listed.exists()


class TestWriting:
    def test_only_what_is_not_committed_is_pending(self, tmp_path, manifest, recipe):
        path = cache.store_path(tmp_path, "x", recipe)
        writer = fill(path, manifest, recipe, blocks=2)
        assert [rows.tolist() for rows in writer.pending] == [list(range(64, 70))]

    def test_an_unfinished_store_cannot_be_marked_complete_or_read(
        self, tmp_path, manifest, recipe
    ):
        path = cache.store_path(tmp_path, "x", recipe)
        writer = fill(path, manifest, recipe, blocks=2)
        with pytest.raises(CacheIncompleteError, match="1 blocks"):
            writer.finish()
        with pytest.raises(CacheIncompleteError, match="extract"):
            cache.read_features(path)

    def test_values_that_are_not_finite_become_skipped_rows(self, tmp_path, manifest, recipe):
        path = cache.store_path(tmp_path, "x", recipe)
        cache.create_store(path, manifest, recipe, width=WIDTH, provenance={})
        writer = StoreWriter(path, recipe)
        for rows in writer.pending:
            values = values_of(manifest)[rows]
            if rows[0] == 0:
                values[5, 9] = np.inf
            write_block(writer, rows, values)
        writer.finish()
        table = cache.read_features(path)
        assert len(table.features) == 69
        assert table.skipped == {Status.NOT_FINITE.reason: 1}

    def test_float16_overflow_is_not_kept_as_infinity(self, tmp_path, manifest):
        recipe = make_recipe(manifest, dtype="float16")
        path = cache.store_path(tmp_path, "x", recipe)
        cache.create_store(path, manifest, recipe, width=4, provenance={})
        writer = StoreWriter(path, recipe)
        values = np.ones((70, 4), np.float32)
        values[3, 2] = 70_000
        for rows in writer.pending:
            write_block(writer, rows, values[rows])
        writer.finish()
        table = cache.read_features(path)
        assert table.features.dtype == np.float32
        assert len(table.features) == 69

    def test_a_block_of_the_wrong_width_is_refused(self, tmp_path, manifest, recipe):
        path = cache.store_path(tmp_path, "x", recipe)
        writer = fill(path, manifest, recipe, blocks=0)
        with pytest.raises(CacheError, match="expected values of shape"):
            write_block(writer, np.arange(32), np.ones((32, 5), np.float32))

    def test_another_recipe_in_the_same_place_is_refused(self, store, manifest):
        with pytest.raises(CacheMismatchError, match="another recipe"):
            StoreWriter(store, make_recipe(manifest, pooling="max"))

    def test_what_a_killed_creator_left_is_removed(self, tmp_path, recipe):
        path = cache.store_path(tmp_path, "x", recipe)
        leftover = path.with_name(f".{path.name}.12ab34cd.partial")
        other = path.with_name(".other-00000000.zarr.12ab34cd.partial")
        (leftover / "features").mkdir(parents=True)
        other.mkdir()
        with cache.lock_store(path):
            assert not leftover.exists()
        assert other.exists()


class TestFinding:
    def test_the_newest_complete_store_is_found(self, tmp_path, store, manifest):
        other = make_recipe(manifest, model="later")
        path = cache.store_path(tmp_path / "cache", manifest.name, other)
        fill(path, manifest, other).finish()
        unfinished = make_recipe(manifest, model="unfinished")
        fill(
            cache.store_path(tmp_path / "cache", manifest.name, unfinished),
            manifest,
            unfinished,
            blocks=1,
        )
        assert cache.find_store(tmp_path / "cache") == path
        assert cache.find_store(tmp_path / "cache", model="efficientnet-lite0") == store
        assert len(cache.list_stores(tmp_path / "cache")) == 3

    def test_none_says_what_to_run(self, tmp_path):
        with pytest.raises(CacheNotFoundError, match="Run: extract --dataset x"):
            cache.find_store(tmp_path, dataset="x")

    def test_a_path_without_a_store(self, tmp_path):
        with pytest.raises(CacheNotFoundError, match="There is no store"):
            cache.read_features(tmp_path / "no.zarr")
        assert not (tmp_path / "no.zarr").exists()

    def test_a_foreign_zarr_group_is_refused_and_left_alone(self, tmp_path):
        path = tmp_path / "d" / "foreign.zarr"
        zarr.create_group(path)
        with pytest.raises(CacheCorruptError, match="not a store this version reads"):
            cache.read_info(path)
        assert cache.list_stores(tmp_path) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("manifest_digest", "1" * 64),
        ("model", "other"),
        ("weights_sha256", "1" * 64),
        ("layers", ("block4_pool",)),
        ("pooling", "max"),
        ("input_size", 9),
        ("resize", "pad"),
        ("crop_fraction", 0.5),
        ("interpolation", "bilinear"),
        ("preprocessing", "tf"),
        ("precision", "bfloat16"),
        ("augment", "hflip"),
        ("views", 2),
        ("dtype", "float16"),
        ("decoder", "opencv"),
        ("colour", "bgr"),
        ("alpha", "dropped"),
        ("exif", "ignored"),
        ("sixteen_bit", "clipped"),
        ("format_version", FORMAT_VERSION + 1),
    ],
)
def test_fault_31_every_field_of_the_recipe_makes_another_key(manifest, field, value):
    assert make_recipe(manifest, **{field: value}).key != make_recipe(manifest).key


def test_every_field_is_in_that_test():
    marks = test_fault_31_every_field_of_the_recipe_makes_another_key.pytestmark
    fields = {*Recipe.__dataclass_fields__, *BackboneRecipe.__dataclass_fields__} - {"backbones"}
    assert {values[0] for values in marks[0].args[1]} == fields


def test_two_backbones_are_another_recipe_than_each_and_than_the_other_order(recipe):
    first = recipe.backbones[0]
    second = replace(first, model="vgg16", input_size=150)
    orders = ((first,), (second,), (first, second), (second, first))
    recipes = [replace(recipe, backbones=order) for order in orders]
    assert len({each.key for each in recipes}) == 4
    assert recipes[2].model == "efficientnet-lite0+vgg16"
    assert Recipe.from_dict(recipes[2].to_dict()) == recipes[2]


def test_a_recipe_is_told_to_people_with_what_differs_side_by_side(recipe):
    first = recipe.backbones[0]
    second = replace(first, model="vgg16", input_size=150, layers=("block4_pool", "block5_pool"))
    both = replace(recipe, backbones=(first, second), augment="hflip", views=2).to_dict()
    told = flatten_recipe(both)
    assert told["model"] == "efficientnet-lite0 + vgg16"
    assert told["input_size"] == "224 + 150"
    assert told["layers"] == "- + block4_pool, block5_pool"
    assert told["resize"] == "crop"
    assert told["pooling"] == "avg"
    assert "backbones" not in told
    assert describe_augment(both) == ["mirrored beside"]
    assert describe_augment({**both, "views": 1}) == ["mirrored and averaged"]
    assert describe_augment(recipe.to_dict()) == []
    assert flatten_recipe(recipe.to_dict())["model"] == "efficientnet-lite0"


def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(recipe.to_dict()) == recipe

"""Data sets, weights, recipes and libraries that change between two runs."""

import os
import shutil
from collections.abc import Mapping

import numpy as np
import pytest

from pipeline import cache
from pipeline.backbones.batching import pad_batch
from pipeline.cache import layout
from pipeline.config import ExtractConfig
from pipeline.errors import BackboneError, CacheMismatchError
from pipeline.extraction.preparing import prepare
from pipeline.extraction.versions import is_known_here
from pipeline.stages.extract import extract
from tests.conftest import MeanColourEngine, save_photo
from tests.faults.harness import files_of


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(layout, "block_length", lambda row_bytes: 8)


@pytest.fixture
def run(photos, tmp_path):
    """Extract with a fresh engine; return the rows as they are read, and images computed."""

    def run(engine=None, *, notes=None, cache_dir="cache", **changes):
        settings = {"dataset": str(photos), "image_size": 32, "weights": "random", **changes}
        config = ExtractConfig(cache_dir=tmp_path / cache_dir, **settings)
        engine = engine or MeanColourEngine()
        note = None if notes is None else notes.append
        done = extract(prepare(config), lambda job: engine, on_note=note)
        return cache.read_features(done.store), engine.n_images, done

    return run


class OldVersion(MeanColourEngine):
    versions: Mapping[str, str] = {"numpy": "0.1"}


class OtherValues(MeanColourEngine):
    """Red and blue changed places, as a library with another channel order would have it."""

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            yield values[:, ::-1].copy()


class Brighter(MeanColourEngine):
    def infer_many(self, batches):
        for values in super().infer_many(batches):
            yield values * np.float32(1.1)


def assert_same(table, fresh):
    assert table.paths == fresh.paths
    assert np.array_equal(table.features, fresh.features)
    assert np.array_equal(table.labels, fresh.labels)


class TestDataSet:
    def edit_in_place(self, path):
        """Keep the size and the time stamps that a user can set."""
        before, data = path.stat(), bytearray(path.read_bytes())
        data[-20] ^= 1
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @pytest.mark.parametrize(
        ("change", "n_computed"),
        [
            (lambda root: save_photo(root / "blue" / "05b.jpg", seed=7), 1),
            (lambda root: (root / "blue" / "05.jpg").unlink(), 0),
            (lambda root: (root / "blue" / "05.jpg").rename(root / "blue" / "zz.jpg"), 0),
            (lambda root: (root / "blue" / "05.jpg").rename(root / "red" / "05b.jpg"), 0),
            (lambda root: TestDataSet().edit_in_place(root / "blue" / "05.jpg"), 1),
        ],
        ids=["added", "removed", "renamed", "relabelled", "edited with size and mtime kept"],
    )
    def test_fault_29_what_changed_is_computed_and_the_rest_is_copied(
        self, photos, run, change, n_computed
    ):
        before, _, _ = run()
        change(photos)
        after, n_images, done = run()
        assert (n_images, done.n_computed) == (n_computed, n_computed)
        assert done.n_copied == len(after.features) - n_computed
        assert after.key != before.key
        fresh, _, _ = run(cache_dir="elsewhere")
        assert_same(after, fresh)

    def test_ten_images_added_to_many_cost_ten(self, photos, run):
        for i in range(500):
            save_photo(photos / "green" / f"more{i:03}.jpg", seed=1000 + i)
        run()
        for i in range(10):
            save_photo(photos / "green" / f"more{50 * i:03}b.jpg", seed=2000 + i)
        _, n_images, done = run()
        assert (n_images, done.n_copied) == (10, 536)

    def test_rows_come_from_several_stores_and_from_unfinished_ones(self, photos, tmp_path, run):
        shutil.copytree(photos, tmp_path / "all")
        shutil.rmtree(photos / "red")
        run()
        for label in ("blue", "green"):
            shutil.rmtree(photos / label)
        shutil.copytree(tmp_path / "all" / "red", photos / "red")
        save_photo(photos / "other" / "0.jpg", seed=1)
        with pytest.raises(KeyboardInterrupt):
            run(Interrupted(after=9))
        _, n_images, done = run(dataset=str(tmp_path / "all"))
        # Of the second store only the first block was committed: one of "other", seven of "red".
        assert (n_images, done.n_copied) == (5, 31)

    def test_a_damaged_block_of_another_store_is_computed(self, photos, run):
        _, _, first = run()
        (first.store / "features/c/1/0").write_bytes(b"damaged")
        save_photo(photos / "blue" / "zz.jpg", seed=5)
        after, n_images, _ = run()
        assert n_images == 8 + 1
        fresh, _, _ = run(cache_dir="elsewhere")
        assert_same(after, fresh)

    def test_other_recipes_and_overwriting_copy_nothing(self, photos, run):
        run()
        assert run(image_size=48)[1] == 36
        save_photo(photos / "blue" / "zz.jpg", seed=5)
        assert run(overwrite=True)[1] == 37

    def test_bad_images_are_decoded_again(self, photos, run):
        (photos / "red" / "bad.jpg").write_text("not an image")
        run()
        save_photo(photos / "blue" / "zz.jpg", seed=5)
        table, _, done = run()
        assert done.n_copied == 36
        assert table.skipped == {"not an image": 1}


class Interrupted(MeanColourEngine):
    def __init__(self, after):
        super().__init__(batch_size=1)
        self.after = after

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            if self.n_images > self.after:
                raise KeyboardInterrupt
            yield values


class InterruptedOld(Interrupted):
    versions = OldVersion.versions


class TestLibraries:
    def test_fault_33_values_that_agree_are_kept_and_the_versions_noted(self, run):
        before, _, first = run(OldVersion())
        notes = []
        after, n_images, _ = run(notes=notes)
        assert n_images == 16
        assert_same(after, before)
        provenance = cache.read_info(first.store).provenance
        assert [v["numpy"] for v in provenance["agreeing_versions"]] == [np.__version__]
        assert f"numpy 0.1 -> {np.__version__}" in notes[1]
        assert "agree (worst cosine 1.0" in notes[1]
        assert run()[1] == 0

    @pytest.mark.parametrize(
        ("engine", "why"),
        [(OtherValues, r"differ \(worst cosine 0\.\d+"), (Brighter, "length changed by 10.0%")],
    )
    def test_fault_33_values_that_differ_are_refused(self, run, engine, why):
        _, _, first = run(OldVersion())
        before = files_of(first.store)
        with pytest.raises(CacheMismatchError, match=rf"numpy 0\.1 -> .*{why}.*--overwrite"):
            run(engine())
        assert files_of(first.store) == before

    def test_fault_33_a_run_is_not_gone_on_with_by_libraries_that_differ(self, run):
        with pytest.raises(KeyboardInterrupt):
            run(InterruptedOld(after=20))
        with pytest.raises(CacheMismatchError, match="worst cosine"):
            run(OtherValues())
        assert len(run()[0].features) == 36

    def test_fault_33_rows_that_differ_are_not_copied(self, photos, run):
        run(OldVersion())
        save_photo(photos / "blue" / "zz.jpg", seed=5)
        notes = []
        after, n_images, done = run(OtherValues(), notes=notes)
        assert (done.n_copied, n_images) == (0, 16 + 37)
        assert "Nothing is copied from" in notes[1]
        fresh, _, _ = run(OtherValues(), cache_dir="elsewhere")
        assert_same(after, fresh)

    def test_two_rows_of_zeros_agree(self, run):
        class Dead(MeanColourEngine):
            def infer_many(self, batches):
                for values in super().infer_many(batches):
                    yield values * 0

        class OldDead(Dead):
            versions = OldVersion.versions

        run(OldDead())
        assert run(Dead())[1] == 16


def test_fault_30_the_same_weights_name_with_other_bytes_is_another_key(tmp_path, photos):
    keys = []
    for content in (b"\x89HDF\r\n\x1a\n" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(101)):
        file = tmp_path / "my.weights.h5"
        file.write_bytes(content)
        config = ExtractConfig(
            dataset=str(photos), model="mobilenet", weights=str(file), cache_dir=tmp_path
        )
        try:
            keys.append(prepare(config).recipe.key)
        except BackboneError as exc:
            pytest.fail(f"the file was opened before it was hashed: {exc}")
    assert keys[0] != keys[1]


@pytest.mark.parametrize("wrong", [np.float32, np.float64, np.int64])
def test_fault_34_a_wrong_range_of_values_is_an_error(wrong):
    images = np.zeros((2, 8, 8, 3), wrong)
    with pytest.raises(BackboneError, match="takes uint8 images"):
        pad_batch((images,), batch_size=4, image_sizes=(8,))


class TestWhoComputedIt:
    def provenance(self, done):
        return cache.read_info(done.store).provenance

    def test_a_run_that_committed_nothing_leaves_no_versions(self, run, photos, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(InterruptedOld(after=0))
        _, _, done = run()
        found = self.provenance(done)
        assert found["versions"]["numpy"] == np.__version__
        assert "agreeing_versions" not in found

    def test_only_stores_that_are_copied_from_are_named(self, run, photos, tmp_path):
        run()
        save_photo(photos / "blue" / "zz.jpg", seed=5)
        _, _, second = run()
        save_photo(photos / "blue" / "zzz.jpg", seed=6)
        _, _, third = run()
        copied = [each["store"] for each in self.provenance(third)["copied_from"]]
        assert copied == [f"photos/{second.store.name}"]  # the first has nothing more

    def test_overwriting_that_was_interrupted_before_an_upgrade_begins_again(self, run):
        before, _, _ = run()
        with pytest.raises(KeyboardInterrupt):
            run(InterruptedOld(after=20), overwrite=True)
        after, n_images, _ = run(OtherValues(), overwrite=True)
        assert n_images == 16 + 36
        assert np.array_equal(after.features, before.features[:, ::-1])

    def test_rows_that_cannot_be_checked_are_not_gone_on_with(self, run, photos, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(InterruptedOld(after=20))
        job = prepare(
            ExtractConfig(
                dataset=str(photos), image_size=32, weights="random", cache_dir=tmp_path / "cache"
            )
        )
        photos.rename(photos.with_name("away"))
        with pytest.raises(CacheMismatchError, match="none of its rows can be computed again"):
            extract(job, lambda job: MeanColourEngine())

    def test_other_engines_versions_that_agreed_are_known(self):
        old = {"numpy": np.__version__, "pillow": "0.1"}
        new = {"numpy": np.__version__}
        assert not is_known_here({"versions": old})
        assert is_known_here({"versions": old, "agreeing_versions": [new]})

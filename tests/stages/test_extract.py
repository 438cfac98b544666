import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline import cache, durable
from pipeline.cache import layout
from pipeline.config import ExtractConfig
from pipeline.errors import (
    CacheError,
    CacheLockedError,
    CacheNotFoundError,
    ConfigError,
    EmptyDatasetError,
    OutOfMemoryError,
)
from pipeline.extraction import ledger
from pipeline.extraction.preparing import prepare
from pipeline.records import Split
from pipeline.stages.extract import estimate, extract
from pipeline.stages.stores import list_cache
from tests.conftest import MeanColourEngine, save_photo


def make_config(photos: Path, tmp_path: Path, **changes) -> ExtractConfig:
    settings = {"image_size": 32, "weights": "random", "cache_dir": tmp_path / "cache"}
    return ExtractConfig(dataset=str(photos), **{**settings, **changes})


def run(config: ExtractConfig, engine: MeanColourEngine):
    return extract(prepare(config), lambda job: engine)


def no_engine(job):
    raise AssertionError("an engine was built although nothing was to be computed")


class TestExtract:
    def test_values_are_those_of_the_images_in_the_order_of_the_manifest(
        self, photos, tmp_path, engine
    ):
        extraction = run(make_config(photos, tmp_path), engine)
        table = cache.read_features(extraction.store)
        assert table.class_names == ("blue", "green", "red")
        assert table.paths == tuple(sorted(table.paths))
        assert len(table.features) == 36
        strongest = table.features.argmax(axis=1)  # 0 red, 1 green, 2 blue
        assert np.array_equal(strongest, 2 - table.labels)
        assert [path.split("/")[0] for path in table.paths] == [
            table.class_names[label] for label in table.labels
        ]

    def test_what_is_only_trained_on_is_not_found_before_somebody_asks_for_it(
        self, photos, tmp_path, engine
    ):
        config = make_config(photos, tmp_path)

        def train_on(config):
            return extract(replace(prepare(config), for_training=True), lambda job: engine).store

        store = train_on(config)
        with pytest.raises(CacheNotFoundError, match="No finished extraction"):
            cache.find_store(tmp_path / "cache")
        assert "made for finetune" in list_cache(tmp_path / "cache")[0].unlike
        assert extract(prepare(config), no_engine).store == store
        assert cache.find_store(tmp_path / "cache") == store
        assert train_on(config) == store  # whoever asked for it still finds it
        assert cache.find_store(tmp_path / "cache") == store

    def test_one_that_was_begun_to_train_on_and_ended_otherwise_is_found(
        self, photos, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(layout, "block_length", lambda row_bytes: 4)
        config = make_config(photos, tmp_path)
        job = replace(prepare(config), for_training=True, deadline=0.0)
        extract(job, lambda job: MeanColourEngine())
        run(config, MeanColourEngine())
        assert cache.find_store(tmp_path / "cache") == job.store

    def test_the_batch_size_does_not_matter(self, photos, tmp_path):
        tables = [
            cache.read_features(
                run(
                    make_config(photos, tmp_path, cache_dir=tmp_path / str(size)),
                    MeanColourEngine(batch_size=size),
                ).store
            )
            for size in (1, 5, 64)
        ]
        for table in tables[1:]:
            assert np.array_equal(table.features, tables[0].features)
            assert table.content_sha256 == tables[0].content_sha256

    def test_counts_add_up_when_images_are_bad(self, photos, tmp_path, engine):
        (photos / "red" / "00.jpg").write_bytes(b"")
        (photos / "red" / "01.jpg").write_text("<html>not found</html>")
        good = (photos / "blue" / "02.jpg").read_bytes()
        (photos / "blue" / "02.jpg").write_bytes(good[: len(good) // 2])
        extraction = run(make_config(photos, tmp_path), engine)
        assert (extraction.n_found, extraction.n_cached) == (36, 33)
        assert sum(extraction.skipped.values()) == 3
        listed = extraction.skipped_csv.read_text().splitlines()
        assert listed == [
            "path,reason",
            "blue/02.jpg,corrupt or truncated image",
            "red/00.jpg,zero bytes",
            "red/01.jpg,not an image",
        ]
        features = zarr.open_group(extraction.store, mode="r")["features"][:]
        assert np.isnan(features).any(axis=1).sum() == 3

    def test_not_one_usable_image_is_an_error_that_says_why(self, tmp_path, engine):
        for name in ("a", "b"):
            (tmp_path / "bad" / name).mkdir(parents=True)
            (tmp_path / "bad" / name / "x.jpg").write_text("no")
        with pytest.raises(EmptyDatasetError, match="2 not an image"):
            run(make_config(tmp_path / "bad", tmp_path), engine)

    def test_doing_it_again_builds_no_engine(self, photos, tmp_path, engine):
        config = make_config(photos, tmp_path)
        first = run(config, engine)
        again = extract(prepare(config), no_engine)
        assert again.n_computed == 0
        assert again.engine is None
        assert again.store == first.store
        assert again.n_cached == first.n_cached

    def test_an_image_that_was_gone_for_a_while_is_computed_later(self, photos, tmp_path, engine):
        config = make_config(photos, tmp_path)
        job = prepare(config)
        (photos / "red").rename(photos / "away")
        first = extract(job, lambda job: engine)
        assert first.skipped == {"changed since it was listed": 12}
        (photos / "away").rename(photos / "red")
        job = prepare(config)
        assert job.store == first.store
        assert job.find_done() is None
        second = extract(job, lambda job: engine)
        assert second.n_cached == 36
        assert len(cache.read_features(second.store).features) == 36
        assert prepare(config).find_done() is not None

    def test_an_image_that_never_was_readable_is_not_tried_for_ever(self, photos, tmp_path, engine):
        table = tmp_path / "labels.csv"
        rows = [f"photos/{c}/{i:02}.jpg,{c}" for c in ("red", "blue") for i in range(5)]
        table.write_text("\n".join(["path,label", *rows, "photos/red/gone.jpg,red"]))
        config = make_config(table, tmp_path)
        assert run(config, engine).skipped == {"cannot be read": 1}
        assert prepare(config).find_done() is not None

    def test_finding_it_done_makes_it_the_newest(self, photos, tmp_path, engine):
        first = run(make_config(photos, tmp_path), engine)
        second = run(make_config(photos, tmp_path, pooling="max"), engine)
        assert cache.find_store(tmp_path / "cache") == second.store
        run(make_config(photos, tmp_path), engine)
        assert cache.find_store(tmp_path / "cache") == first.store

    def test_an_overwrite_that_is_stopped_leaves_the_old_store_whole(
        self, photos, tmp_path, engine
    ):
        first = run(make_config(photos, tmp_path), engine)
        before = cache.read_features(first.store)

        def stopped(job):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            extract(prepare(make_config(photos, tmp_path, overwrite=True)), stopped)
        assert cache.read_features(first.store).content_sha256 == before.content_sha256
        assert extract(prepare(make_config(photos, tmp_path)), no_engine).n_cached == 36

    def test_overwrite_does_it_again(self, photos, tmp_path, engine):
        run(make_config(photos, tmp_path), engine)
        extraction = run(make_config(photos, tmp_path, overwrite=True), engine)
        assert extraction.n_computed == 36
        assert engine.n_images == 72

    @pytest.mark.parametrize(
        "changes",
        [{"pooling": "max"}, {"image_size": 40}, {"resize": "pad"}, {"dtype": "float16"}],
    )
    def test_another_recipe_is_another_store(self, photos, tmp_path, engine, changes):
        first = run(make_config(photos, tmp_path), engine)
        second = run(make_config(photos, tmp_path, **changes), engine)
        assert second.store != first.store
        assert second.n_computed == 36

    @pytest.mark.parametrize("changes", [{"batch_size": 2}, {"workers": 1}])
    def test_how_it_is_computed_is_not_part_of_the_recipe(self, photos, tmp_path, engine, changes):
        run(make_config(photos, tmp_path), engine)
        assert extract(prepare(make_config(photos, tmp_path, **changes)), no_engine).n_found == 36

    def test_an_image_edited_in_place_is_another_store(self, photos, tmp_path, engine):
        first = run(make_config(photos, tmp_path), engine)
        path = photos / "red" / "00.jpg"
        before = path.stat()
        size = before.st_size
        save_photo(path, seed=999, tint=(0, 0, 180))
        path.write_bytes(path.read_bytes()[:size].ljust(size, b"\0"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == size
        second = run(make_config(photos, tmp_path), engine)
        assert second.store != first.store

    def test_limit_takes_some_of_every_class(self, photos, tmp_path, engine):
        extraction = run(make_config(photos, tmp_path, limit=6), engine)
        table = cache.read_features(extraction.store)
        assert np.bincount(table.labels).tolist() == [2, 2, 2]

    def test_a_given_split_lies_beside_the_values(self, photos, tmp_path, engine):
        for part, names in (("train", ("blue", "green")), ("test", ("red",))):
            for name in names:
                (tmp_path / "s" / part).mkdir(parents=True, exist_ok=True)
                (photos / name).rename(tmp_path / "s" / part / "same")
                (tmp_path / "s" / part / "same").rename(tmp_path / "s" / part / f"c-{name}")
        (tmp_path / "s/test/c-red").rename(tmp_path / "s/test/c-blue")
        extraction = run(make_config(tmp_path / "s", tmp_path), engine)
        table = cache.read_features(extraction.store)
        assert (table.split == Split.TEST).sum() == 12
        assert (table.split == Split.TRAIN).sum() == 24

    def test_an_image_smaller_than_the_network_can_take_is_refused_early(self, photos, tmp_path):
        with pytest.raises(ConfigError, match="at least 32"):
            prepare(make_config(photos, tmp_path, image_size=16))

    def test_a_store_that_is_being_written_is_left_alone(self, photos, tmp_path, engine):
        job = prepare(make_config(photos, tmp_path))
        with cache.lock_store(job.store), pytest.raises(CacheLockedError, match="being written by"):
            extract(job, no_engine)

    def test_progress_reaches_the_end(self, photos, tmp_path, engine):
        seen = []
        extract(
            prepare(make_config(photos, tmp_path)),
            lambda job: engine,
            on_progress=lambda done, total: seen.append((done, total)),
        )
        assert seen[-1] == (36, 36)
        assert [done for done, _ in seen] == sorted({done for done, _ in seen})


class TestResume:
    def test_what_was_committed_is_not_computed_again(self, photos, tmp_path):
        class Breaking(MeanColourEngine):
            width = 40_000  # 160 kB a row: blocks of 32 rows, so 36 rows are two blocks

            def infer_many(self, batches):
                for values in super().infer_many(batches):
                    if self.n_images > self.stop_after:
                        raise KeyboardInterrupt
                    yield np.repeat(values, 20_000, axis=1)[:, : self.width]

        engine = Breaking()
        engine.stop_after = 33
        config = make_config(photos, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            run(config, engine)
        second = Breaking()
        second.stop_after = 10**9
        extraction = run(config, second)
        assert extraction.n_computed == 4
        whole = Breaking()
        whole.stop_after = 10**9
        other = run(make_config(photos, tmp_path, cache_dir=tmp_path / "other"), whole)
        assert (
            cache.read_features(other.store).content_sha256
            == cache.read_features(extraction.store).content_sha256
        )

    @pytest.mark.parametrize("moment", [0.15, 0.3, 0.45])
    def test_a_killed_run_leaves_nothing_that_reads_as_finished(self, photos, tmp_path, moment):
        code = """
import sys, time, pathlib
sys.path.insert(0, sys.argv[3])
from tests.conftest import MeanColourEngine
from tests.stages.test_extract import make_config
from pipeline.extraction.preparing import prepare
from pipeline.stages.extract import extract
class Slow(MeanColourEngine):
    def infer_many(self, batches):
        for values in super().infer_many(batches):
            time.sleep(0.05)
            yield values
print("ready", flush=True)
config = make_config(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
extract(prepare(config), lambda job: Slow())
print("done", flush=True)
"""
        root = str(Path(__file__).parents[2])
        with subprocess.Popen(
            [sys.executable, "-c", code, photos, tmp_path, root], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout.readline() == "ready\n"
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            assert process.stdout.read() == ""
        job = prepare(make_config(photos, tmp_path))
        assert job.find_done() is None
        engine = MeanColourEngine()
        extraction = extract(job, lambda job: engine)
        assert extraction.n_cached == 36
        assert len(cache.read_features(extraction.store).features) == 36
        assert not list(job.store.parent.glob("*.partial"))


class TestEstimate:
    def test_it_counts_and_writes_nothing(self, photos, tmp_path, engine):
        (photos / "red" / "00.jpg").write_bytes(b"")
        job = prepare(make_config(photos, tmp_path))
        cost = estimate(job, lambda job: engine)
        assert (cost.n_images, cost.n_classes, cost.n_features) == (36, 3, 3)
        assert cost.skipped == {"zero bytes": 1}
        assert cost.megabytes == pytest.approx(36 * 3 * 4 / 1e6)
        assert cost.seconds > 0
        assert not (tmp_path / "cache").exists()


class TestLedger:
    def test_the_time_is_accounted_for(self, photos, tmp_path, engine):
        started = time.perf_counter()
        extraction = run(make_config(photos, tmp_path), engine)
        assert 0 < extraction.seconds <= time.perf_counter() - started
        assert extraction.seconds == extraction.ledger.total
        assert extraction.ledger.work_hashing > 0
        assert extraction.ledger.work_writing > 0
        assert extraction.batch_size == engine.batch_size
        fields = json.loads(json.dumps(extraction.to_dict()))
        assert fields["ledger"] == extraction.ledger.to_dict()
        assert fields["batch_size"] == 4
        assert fields["advice"] == ""  # so short that there is none

    def test_a_run_that_takes_long_is_advised(self, photos, tmp_path, monkeypatch):
        class Slow(MeanColourEngine):
            def infer_many(self, batches):
                for values in super().infer_many(batches):
                    time.sleep(0.05)
                    yield values

        monkeypatch.setattr(ledger, "SHORT", 0.1)
        extraction = run(make_config(photos, tmp_path), Slow())
        assert extraction.ledger.slowest[0] == "inference"
        assert extraction.advice.startswith("inference-bound (")

    def test_finding_it_done_takes_no_time_and_is_no_run(self, photos, tmp_path, engine):
        config = make_config(photos, tmp_path)
        first = run(config, engine)
        again = extract(prepare(config), no_engine)
        assert (again.ledger, again.batch_size, again.seconds, again.advice) == (None, None, 0, "")
        assert again.to_dict()["ledger"] is None
        assert len(cache.read_runs(first.store)) == 1

    def test_each_run_is_listed_with_its_ledger(self, photos, tmp_path, engine, monkeypatch):
        monkeypatch.setattr(layout, "block_length", lambda row_bytes: 16)
        config = make_config(photos, tmp_path)
        late = replace(prepare(config), deadline=0.0)
        first = extract(late, lambda job: engine)
        second = run(config, engine)
        assert (first.n_left, second.n_left) == (20, 0)
        runs = cache.read_runs(second.store)
        assert [(each["n_computed"], each["n_left"]) for each in runs] == [(16, 20), (20, 0)]
        for each, extraction in zip(runs, (first, second), strict=True):
            assert each["ledger"] == extraction.ledger.to_dict()
            assert (each["engine"], each["device"], each["batch_size"]) == ("mean-colour", "cpu", 4)

    def test_the_runs_of_what_was_overwritten_are_forgotten(self, photos, tmp_path, engine):
        run(make_config(photos, tmp_path), engine)
        extraction = run(make_config(photos, tmp_path, overwrite=True), MeanColourEngine(9))
        assert [each["batch_size"] for each in cache.read_runs(extraction.store)] == [9]

    def test_what_was_computed_before_the_memory_was_full_counts(
        self, photos, tmp_path, monkeypatch
    ):
        class Hungry(MeanColourEngine):
            def infer_many(self, batches):
                for values in super().infer_many(batches):
                    if self.batch_size > 3 and self.n_images > 20:
                        raise OutOfMemoryError("full", batch_size=self.batch_size)
                    yield values

        monkeypatch.setattr(layout, "block_length", lambda row_bytes: 8)
        config = make_config(photos, tmp_path, batch_size=4)
        done = extract(prepare(config), lambda job: Hungry(job.batch_size))
        assert (done.n_cached, done.n_computed, done.batch_size) == (36, 36, 2)


class TestErrorsInTheBackground:
    def test_a_disk_that_fills_up_stops_the_run_and_what_is_done_is_kept(
        self, photos, tmp_path, monkeypatch
    ):
        real = durable.step

        def step(action, path):
            if "features/c/2/" in str(path):
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            real(action, path)

        monkeypatch.setattr(layout, "block_length", lambda row_bytes: 8)
        config = make_config(photos, tmp_path)
        with monkeypatch.context() as full:
            full.setattr(durable, "step", step)
            with pytest.raises(CacheError, match=r"No space left on device.* make room"):
                run(config, MeanColourEngine())
        assert cache.count_committed(prepare(config).store) == 2
        again = MeanColourEngine()
        assert run(config, again).n_computed == again.n_images == 20

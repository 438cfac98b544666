"""Kills, power cuts and full disks at every durable step of an extraction."""

import contextlib
import errno
import os
import shutil
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline import cache
from pipeline.backbones.batching import memory_checked
from pipeline.cache import layout
from pipeline.config import ExtractConfig, FitConfig
from pipeline.datasets import hash_index
from pipeline.errors import (
    CacheError,
    CacheIncompleteError,
    CacheNotFoundError,
    OutOfMemoryError,
)
from pipeline.extraction.preparing import prepare
from pipeline.fitting import baselines
from pipeline.fitting.in_memory import fit_table
from pipeline.images import reading
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit
from tests.conftest import MeanColourEngine, save_photo
from tests.faults.harness import count_steps, fail_at, files_of, kill_at, lose_power
from tests.feature_tables import make_table

SCENARIOS = ("first", "overwrite", "changed", "recovered")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(layout, "block_length", lambda row_bytes: 8)
    # Whether the index of hashes is written depends on the clock: the steps must be the same.
    monkeypatch.setattr(hash_index, "IS_SUPPORTED", False)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # only costs time: no power is cut


class Scenario:
    """An extraction and what precedes it; every call of `run` is what the user types again."""

    def __init__(self, name, folder):
        self.folder, self.cache_dir = folder, folder / "cache"
        self.photos = folder / "photos"
        for k, label in enumerate(("blue", "red")):
            for i in range(6):
                save_photo(self.photos / label / f"{i}.jpg", seed=10 * k + i, tint=(90 * k, 0, 90))
        (self.photos / "red" / "broken.jpg").write_text("not an image")
        self.cache_dir.mkdir()
        self.overwrite = name == "overwrite"
        if name == "overwrite":
            # In other batches: what replaces it says so, and can be told from it.
            extract(self.prepare(batch_size=3), lambda job: MeanColourEngine(batch_size=3))
        elif name == "changed":
            self.extract()
            save_photo(self.photos / "blue" / "new.jpg", seed=99)
            (self.photos / "red" / "3.jpg").unlink()
        elif name == "recovered":
            job = self.prepare()
            (self.photos / "red").rename(self.photos / "away")
            extract(job, lambda job: MeanColourEngine())
            (self.photos / "away").rename(self.photos / "red")
        self.before = folder / "before"
        shutil.copytree(self.cache_dir, self.before)

    def prepare(self, **changes):
        return prepare(
            ExtractConfig(
                dataset=str(self.photos),
                image_size=32,
                weights="random",
                cache_dir=self.cache_dir,
                workers=1,
                **changes,
            )
        )

    def extract(self, **changes):
        return extract(self.prepare(**changes), lambda job: MeanColourEngine())

    def run(self):
        return self.extract(overwrite=self.overwrite)

    def reset(self):
        shutil.rmtree(self.cache_dir)
        shutil.copytree(self.before, self.cache_dir)


@pytest.fixture
def scenario(request, tmp_path):
    return Scenario(request.param, tmp_path)


def choose(steps, every):
    """Return the numbers of the steps to try: of the last ones all, of the others every nth."""
    return [n for n in range(len(steps)) if n % every == 0 or n >= len(steps) - 20]


def expected_of(scenario):
    """Run undisturbed; return what is on the disk then, and how many steps it took."""
    steps = count_steps(scenario.run)
    expected = files_of(scenario.cache_dir)
    scenario.reset()
    return expected, steps


def check_readers(scenario, expected):
    """A reader gets what was there before or what is to be there, or is refused."""
    try:
        table = cache.read_features(scenario.prepare().store)
    except (CacheNotFoundError, CacheIncompleteError):
        return
    assert any(
        table.paths == other.paths
        and np.array_equal(table.features, other.features)
        and np.array_equal(table.labels, other.labels)
        for other in expected
    )


def tables_of(scenario):
    """Return what a reader gets before the run, if anything, and after it."""
    tables = []
    for run in (lambda: None, scenario.run):
        run()
        with contextlib.suppress(CacheNotFoundError, CacheIncompleteError):
            tables.append(cache.read_features(scenario.prepare().store))
    scenario.reset()
    return tables


@pytest.mark.parametrize(
    ("scenario", "every"),
    [
        ("first", 1),
        ("recovered", 1),
        ("overwrite", 4),
        ("changed", 4),
        pytest.param("overwrite", 1, marks=pytest.mark.slow),
        pytest.param("changed", 1, marks=pytest.mark.slow),
    ],
    indirect=["scenario"],
)
def test_fault_01_07_a_kill_and_a_power_cut_at_every_step_are_mended(scenario, every):
    tables = tables_of(scenario)
    expected, steps = expected_of(scenario)
    numbers = choose(steps, every)
    print(f"{len(numbers)} kills and as many power cuts at {len(steps)} durable steps")
    for number in numbers:
        disk = kill_at(number, scenario.run, scenario.cache_dir)
        for power_cut in (False, True):
            if power_cut:
                lose_power(disk, scenario.cache_dir)
            check_readers(scenario, tables)
            scenario.run()
            assert files_of(scenario.cache_dir) == expected, (number, steps[number], power_cut)
        scenario.reset()


@pytest.mark.parametrize("scenario", ["first"], indirect=True)
def test_fault_07_a_kill_then_a_whole_run_then_a_power_cut_loses_nothing(scenario):
    expected, steps = expected_of(scenario)
    for number in choose(steps, 2):
        disk = kill_at(number, scenario.run, scenario.cache_dir)
        disk = kill_at(-1, scenario.run, scenario.cache_dir, disk)
        lose_power(disk, scenario.cache_dir)
        assert files_of(scenario.cache_dir) == expected, (number, steps[number])
        scenario.reset()


ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)


@pytest.mark.parametrize(
    ("scenario", "errors"),
    [
        ("first", ERRORS),
        *(
            pytest.param(name, (error,), marks=pytest.mark.slow)
            for name in SCENARIOS
            for error in ERRORS
        ),
    ],
    indirect=["scenario"],
)
def test_fault_08_a_disk_that_fails_at_any_step_is_said_and_mended(scenario, errors):
    tables = tables_of(scenario)
    expected, steps = expected_of(scenario)
    print(f"{len(steps)} durable steps failed with {[errno.errorcode[e] for e in errors]} in turn")
    for number, (action, path) in enumerate(steps):
        error = errors[number % len(errors)]
        said = fail_at(number, error, scenario.run)
        # What lies under such a name is only in the way, and goes the next time.
        harmless = action in ("rename", "remove") and path.name.endswith((".partial", ".csv"))
        assert said or harmless, f"nobody noticed that {action} {path} failed"
        if said:
            assert os.strerror(error) in said
            assert action != "write" or ("bytes" in said and path.name in said)
        check_readers(scenario, tables)
        scenario.run()
        assert files_of(scenario.cache_dir) == expected, (number, action, path)
        scenario.reset()


def find_step(steps, action, end, nth=0):
    """Return the number of the nth step of an action on a path that ends so."""
    return [
        i for i, (a, path) in enumerate(steps) if (a, str(path).endswith(end)) == (action, True)
    ][nth]


class TestOneRun:
    @pytest.fixture
    def scenario(self, tmp_path):
        return Scenario("first", tmp_path)

    def resume(self, scenario):
        """Go on; return how many images were computed."""
        engine = MeanColourEngine()
        extract(scenario.prepare(), lambda job: engine)
        return engine.n_images

    def test_fault_03_no_half_store_lies_under_the_final_name(self, scenario):
        _, steps = expected_of(scenario)
        store = scenario.prepare().store
        for number in range(find_step(steps, "rename", ".zarr")):
            kill_at(number, scenario.run, scenario.cache_dir)
            assert not store.exists()
            scenario.reset()

    @pytest.mark.parametrize("array", ["status/c/1", "oddities/c/1", "commit/c/1/0"])
    def test_fault_04_a_block_that_is_written_but_not_committed_is_computed_again(
        self, scenario, array
    ):
        _, steps = expected_of(scenario)
        kill_at(find_step(steps, "rename", array), scenario.run, scenario.cache_dir)
        assert self.resume(scenario) == 5  # of 13 images the first 8 are committed

    def test_fault_05_before_the_store_is_complete_all_is_committed(self, scenario):
        _, steps = expected_of(scenario)
        last = find_step(steps, "rename", ".zarr/zarr.json", nth=-1)
        kill_at(last, scenario.run, scenario.cache_dir)
        with pytest.raises(CacheIncompleteError):
            cache.read_features(scenario.prepare().store)
        assert self.resume(scenario) == 0
        assert cache.read_info(scenario.prepare().store).complete

    def test_fault_10_a_read_only_cache_is_read_but_not_written(self, monkeypatch):
        folder = Path(tempfile.mkdtemp())
        try:
            scenario = Scenario("first", folder)
            scenario.run()
            store = scenario.prepare().store
            save_photo(scenario.photos / "blue" / "new.jpg", seed=99)
            monkeypatch.setattr(baselines, "KNN_PAIRS", 0)  # OpenMP does not survive a fork
            # Whoever has no rights may not read Python's own folder: nothing is left to import.
            fit_table(make_table(n_per_class=5), FitConfig())

            def use():
                result = fit(store, FitConfig())
                assert result.folder is None
                assert result.report.n_found == 13
                with pytest.raises(CacheError, match=r"Cannot write to .*--cache-dir"):
                    extract(scenario.prepare(), no_engine)

            run_without_rights(use, folder)
        finally:
            shutil.rmtree(folder)

    def test_fault_11_a_cache_deleted_under_a_run_is_an_error_and_stays_deleted(self, scenario):
        class Deleting(MeanColourEngine):
            def infer_many(self, batches):
                for values in super().infer_many(batches):
                    # Again and again: a block is just being written into it.
                    while self.n_images > 8 and scenario.cache_dir.exists():
                        shutil.rmtree(scenario.cache_dir, ignore_errors=True)
                    yield values

        with pytest.raises(CacheError, match=r"vanished.*Run the same extract command again"):
            extract(scenario.prepare(), lambda job: Deleting())
        assert not scenario.cache_dir.exists()
        assert self.resume(scenario) == 13

    def test_fault_12_batches_are_halved_until_they_fit(self, scenario):
        sizes, notes = [], []

        def open_engine(job):
            sizes.append(job.batch_size)
            return Hungry(job.batch_size)

        done = extract(scenario.prepare(batch_size=8), open_engine, on_note=notes.append)
        assert sizes == [8, 4, 2]
        assert done.n_cached == 12
        assert notes[-1] == "Out of memory with batches of 4: going on with 2."

    def test_fault_12_the_size_that_fitted_is_remembered_for_this_model_and_device(self, scenario):
        sizes = []

        def open_engine(job):
            sizes.append(job.batch_size or 8)
            return Hungry(sizes[-1])

        done = extract(scenario.prepare(), open_engine)
        assert sizes == [8, 4, 2]
        assert (done.batch_size, done.n_left) == (2, 0)
        assert scenario.prepare().batch_size == 2
        assert scenario.prepare(precision="bfloat16").batch_size is None
        assert scenario.prepare(batch_size=5).batch_size == 5
        extract(scenario.prepare(overwrite=True), open_engine)
        assert sizes == [8, 4, 2, 2]
        # A larger one that is asked for, and fits, is remembered instead; a smaller one is not.
        for size, known in ((3, 3), (1, 3)):
            extract(scenario.prepare(overwrite=True, batch_size=size), open_engine)
            assert scenario.prepare().batch_size == known

    def test_fault_12_one_image_that_does_not_fit_is_a_clear_error(self, scenario):
        def open_engine(job):
            with memory_checked("cpu", job.batch_size or 8):
                raise MemoryError("std::bad_alloc")

        with pytest.raises(OutOfMemoryError, match=r"batches of 1 images.*smaller --model"):
            extract(scenario.prepare(), open_engine)

    def test_fault_13_a_decoder_that_dies_does_not_hang_the_run(self, scenario, monkeypatch):
        def die(*args, **kwargs):
            raise SystemError("a worker died")

        with monkeypatch.context() as patch:
            patch.setattr(reading, "read_image", die)
            with pytest.raises(SystemError, match="a worker died"):
                scenario.run()
        assert self.resume(scenario) == 13

    def test_the_deadline_stops_between_two_blocks_but_not_before_the_first(self, scenario):
        expected, _ = expected_of(scenario)
        job = replace(scenario.prepare(), deadline=time.monotonic())
        done = extract(job, lambda job: MeanColourEngine())
        assert (done.n_computed, done.n_left, done.skipped_csv) == (8, 5, None)
        assert self.resume(scenario) == 5
        assert files_of(scenario.cache_dir) == expected

    def test_a_block_that_was_damaged_meanwhile_is_computed_again(self, scenario):
        expected, _ = expected_of(scenario)
        job = replace(scenario.prepare(), deadline=time.monotonic())
        extract(job, lambda job: MeanColourEngine())
        (job.store / "features/c/0/0").write_bytes(b"damaged")
        assert self.resume(scenario) == 13
        assert files_of(scenario.cache_dir) == expected


def test_the_counts_add_up_when_the_time_is_over_while_images_are_recovered(tmp_path):
    scenario = Scenario("recovered", tmp_path)
    done = extract(
        replace(scenario.prepare(), deadline=time.monotonic()), lambda job: MeanColourEngine()
    )
    assert done.n_left == 5  # the six images of "red" lie in both blocks
    assert done.n_found == done.n_cached + sum(done.skipped.values()) + done.n_left


class Hungry(MeanColourEngine):
    """Out of memory with more than three images at once, but not before the fifth image."""

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            if self.batch_size > 3 and self.n_images > 4:
                raise OutOfMemoryError("full", batch_size=self.batch_size)
            yield values


def no_engine(job):
    raise AssertionError("an engine was built although nothing can be written")


def run_without_rights(use, folder):
    """Run in a child process that may read but not write below a folder."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setuid(65534)
            use()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as pytest
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    for path in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
        path.chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0

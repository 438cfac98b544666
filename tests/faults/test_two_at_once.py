"""Two processes, or more, that want the same store or the same cache at the same time."""

import json
import multiprocessing
import os
import platform
import re
import shutil
import signal
import sys
import time

import numpy as np
import pytest

from pipeline import cache
from pipeline.cache import BlockReader, StoreWriter, layout, reader, reset_damage
from pipeline.config import ExtractConfig, FitConfig
from pipeline.errors import (
    CacheError,
    CacheIncompleteError,
    CacheLockedError,
    CacheNotFoundError,
)
from pipeline.extraction.preparing import prepare
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit
from pipeline.stages.verify import repair
from tests.conftest import MeanColourEngine, save_photo
from tests.faults.harness import files_of
from tests.made_stores import write_block

N_IMAGES, BLOCK, BATCH = 20, 8, 4
LONGEST = 60  # seconds to wait for another process

# A process of its own for each run, from one that has loaded everything but started no thread.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(layout, "block_length", lambda row_bytes: BLOCK)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # only costs time: no power is cut


def be_quick():
    layout.block_length, os.fsync = lambda row_bytes: BLOCK, lambda descriptor: None


@pytest.fixture
def photos(tmp_path):
    for i in range(N_IMAGES):
        tint = (60 * (i % 2), 0, 60)
        save_photo(tmp_path / "photos" / ("blue", "red")[i % 2] / f"{i}.jpg", seed=i, tint=tint)
    (tmp_path / "photos" / "red" / "19.jpg").write_text("not an image")
    return tmp_path / "photos"


def config_of(photos, cache_dir, **changes):
    settings = {"image_size": 32, "weights": "random", "workers": 1, **changes}
    return ExtractConfig(dataset=str(photos), cache_dir=cache_dir, **settings)


def no_engine(job):
    raise AssertionError("an engine was built although nothing was to be computed")


def run_alone(config):
    """Extract; return the store and how many images were computed."""
    engine = MeanColourEngine(BATCH)
    return extract(prepare(config), lambda job: engine).store, engine.n_images


class WaitingEngine(MeanColourEngine):
    """Says when it is about to compute image number `after`, and waits until it is told to."""

    def __init__(self, after, reached, go):
        super().__init__(BATCH)
        self.after, self.reached, self.go = after, reached, go

    def infer_many(self, batches):
        yield from super().infer_many(self._wait(batches))

    def _wait(self, batches):
        for images in batches:
            if self.n_images >= self.after and not self.reached.is_set():
                self.reached.set()
                assert self.go.wait(LONGEST)
            yield images


def hold(config, after, reached, go):
    be_quick()
    sys.argv = ["pipeline", "extract", "--dataset", "the photos"]
    extract(prepare(config), lambda job: WaitingEngine(after, reached, go))


def wait_for_blocks(store, n_blocks):
    """Wait until so many blocks are committed: they are written while the next are computed."""
    deadline = time.monotonic() + LONGEST
    while cache.count_committed(store) < n_blocks:
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Holder:
    """A process that extracts and stops in its engine, with the lock in its hands."""

    def __init__(self, config, after=0):
        self._reached, self._go = PROCESSES.Event(), PROCESSES.Event()
        words = (config, after, self._reached, self._go)
        self.process = PROCESSES.Process(target=hold, args=words)

    def __enter__(self):
        self.process.start()
        assert self._reached.wait(LONGEST)
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.join(LONGEST)

    def finish(self):
        self._go.set()
        self.process.join(LONGEST)
        assert self.process.exitcode == 0


@pytest.fixture
def config(photos, tmp_path):
    return config_of(photos, tmp_path / "cache")


@pytest.fixture
def expected(photos, tmp_path):
    """What an extraction that nobody disturbs leaves."""
    store, n_images = run_alone(config_of(photos, tmp_path / "alone"))
    assert n_images == N_IMAGES
    return store


def assert_one_store_like(store, expected):
    assert files_of(store) == files_of(expected)
    assert [path.name for path in store.parent.glob("*.zarr")] == [store.name]
    assert not [path for path in store.parent.iterdir() if path.name.endswith(".partial")]
    listed, wanted = cache.skipped_csv(store), cache.skipped_csv(expected)
    assert listed.read_bytes() == wanted.read_bytes()


class TestSameKey:
    def test_fault_15_the_second_says_who_holds_it(self, config, expected):
        job = prepare(config)
        with Holder(config, after=BLOCK) as holder:
            said = re.escape(f"process {holder.process.pid} on {platform.node()}, since ")
            says = rf"{job.store} is being written by {said}20\d\d-\d\d-\d\dT[\d:]+\+00:00 "
            says += r"\(`pipeline extract --dataset 'the photos'`\)\. Wait for it to end"
            wait_for_blocks(job.store, 1)
            before = files_of(job.store)
            for second in (
                lambda: extract(job, no_engine),
                lambda: extract(prepare(config), no_engine),
                lambda: repair(job.store, job, no_engine),
                lambda: cache.remove_store(job.store),
            ):
                with pytest.raises(CacheLockedError, match=says):
                    second()
            assert files_of(job.store) == before
            holder.finish()
        assert_one_store_like(job.store, expected)
        assert extract(prepare(config), no_engine).n_found == N_IMAGES

    def test_fault_16_a_lock_left_by_a_kill_is_free_at_once(self, config, expected):
        job = prepare(config)
        with Holder(config, after=2 * BLOCK) as holder:
            wait_for_blocks(job.store, 1)
            os.kill(holder.process.pid, signal.SIGKILL)
            holder.process.join(LONGEST)
            assert holder.process.exitcode == -signal.SIGKILL
        left = json.loads(job.store.with_suffix(".lock.json").read_text())
        assert left["pid"] == holder.process.pid
        started = time.monotonic()
        with cache.lock_store(job.store):
            assert time.monotonic() - started < 5
        n_committed = cache.count_committed(job.store)
        assert n_committed > 0
        store, n_images = run_alone(config)
        assert n_images == N_IMAGES - BLOCK * n_committed
        assert_one_store_like(store, expected)


def race(config, barrier, results):
    """Do what a user does who is refused: the same again, a little later."""
    be_quick()
    n_refused, engine = 0, MeanColourEngine(BATCH)
    job = prepare(config)
    barrier.wait(LONGEST)
    while True:
        try:
            extract(job, lambda job: engine)
        except CacheLockedError:
            n_refused += 1
            time.sleep(0.01)
        else:
            results.put((n_refused, engine.n_images))
            return


class TestTwoCreators:
    @pytest.mark.parametrize("n_processes", [2, 8])
    def test_fault_17_many_at_the_same_moment_make_one_store(self, config, expected, n_processes):
        barrier, results = PROCESSES.Barrier(n_processes), PROCESSES.Queue()
        words = (config, barrier, results)
        started = [PROCESSES.Process(target=race, args=words) for _ in range(n_processes)]
        for process in started:
            process.start()
        outcomes = [results.get(timeout=LONGEST) for _ in started]
        for process in started:
            process.join(LONGEST)
            assert process.exitcode == 0
        store = prepare(config).store
        assert_one_store_like(store, expected)
        assert sum(n_images for _, n_images in outcomes) == N_IMAGES  # nothing twice
        print([n_refused for n_refused, _ in outcomes])
        assert any(n_refused for n_refused, _ in outcomes)

    def test_fault_17_a_store_that_was_created_meanwhile_is_used(self, config, expected):
        # A network file system may hand the lock to two: even then nothing is lost.
        job, source = prepare(config), cache.read_info(expected)
        job.store.parent.mkdir(parents=True)
        shutil.copytree(expected, job.store)
        cache.create_store(job.store, job.manifest, job.recipe, width=source.width, provenance={})
        assert files_of(job.store) == files_of(expected)
        assert [path.name for path in job.store.parent.iterdir() if path.suffix == ".partial"] == []


class OtherEngine(MeanColourEngine):
    """Of the same width, but with other values."""

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            yield values[:, ::-1] / 2


class TestReaderDuringAWriter:
    def test_fault_18_fit_during_an_extraction_says_how_it_ends(self, config):
        job, hint = prepare(config), "has not finished. Run the same extract command again"
        with Holder(config, after=BLOCK) as holder:
            with pytest.raises(CacheIncompleteError, match=f"{job.store} {hint}"):
                fit(job.store, FitConfig(clf="logreg"))
            with pytest.raises(CacheNotFoundError, match=f"{job.store} {hint}"):
                cache.find_store(config.cache_dir)
            holder.finish()
        assert fit(job.store, FitConfig(clf="logreg")).report.n_found == N_IMAGES

    def test_fault_18_fit_during_an_overwrite_takes_the_old_values(self, config, photos):
        store, _ = run_alone(config)
        old = cache.read_features(store)
        again = config_of(photos, config.cache_dir, overwrite=True)
        with Holder(again, after=BLOCK) as holder:
            assert cache.find_store(config.cache_dir) == store
            found = cache.read_features(store)
            assert np.array_equal(found.features, old.features)
            assert fit(store, FitConfig(clf="logreg")).report.n_found == N_IMAGES
            with pytest.raises(CacheLockedError, match="is being written by process"):
                extract(prepare(again), no_engine)
            holder.finish()
        assert np.array_equal(cache.read_features(store).features, old.features)

    @pytest.mark.parametrize(
        ("change", "stride"),
        [("reopened", 3), ("repaired", 3), ("replaced", 2), ("computed anew", 1)],
    )
    def test_fault_18_a_reader_never_mixes_what_changes_under_it(
        self, config, photos, tmp_path, monkeypatch, change, stride
    ):
        """The store changes before any of the reader's steps; many moments are tried, or all."""
        original, _ = run_alone(config)
        job = prepare(config)
        other_job = prepare(config_of(photos, tmp_path / "other"))
        other = extract(other_job, lambda job: OtherEngine(BATCH)).store
        old, new = (cache.read_features(path).features.tobytes() for path in (original, other))
        assert old != new
        store = tmp_path / "under-test" / "photos" / original.name

        def disturb():
            if change == "reopened":
                StoreWriter(store, job.recipe).reopen(np.array([BLOCK]))
            elif change == "repaired":
                reset_damage(store, job.manifest)
                StoreWriter(store, job.recipe).finish()
            elif change == "replaced":
                replacement = cache.overwrite_path(store)
                shutil.copytree(other, replacement)
                cache.swap_store(replacement, store)
            else:
                writer = StoreWriter(store, job.recipe)
                writer.reopen(np.arange(N_IMAGES))
                for block in BlockReader(layout.open_store(other, "r")):
                    rows = np.arange(block.rows.start, block.rows.stop)
                    write_block(writer, rows, block.values, block.status, block.oddities)
                writer.finish()

        outcomes = []
        while True:
            shutil.rmtree(store.parent, ignore_errors=True)
            shutil.copytree(original, store)
            moment = Moment(stride * len(outcomes), disturb)
            with monkeypatch.context() as patch:
                moment.watch(patch)
                try:
                    found = cache.read_features(store).features.tobytes()
                except CacheError as exc:
                    says = rf"{store} (was written while it was being read|has not finished)\. Run"
                    assert re.search(says, str(exc))  # noqa: PT017
                    outcomes.append("refused")
                else:
                    assert found in (old, new), "old and new values were mixed"
                    outcomes.append("old" if found == old else "new")
            if not moment.is_over:
                break
        print(change, outcomes)
        assert stride * len(outcomes) > 15
        expected = {
            "reopened": {"refused"},
            "repaired": {"old"},
            "replaced": {"refused", "new"},
            "computed anew": {"refused", "new"},
        }[change]
        assert set(outcomes[:-1]) == expected
        assert outcomes[-1] == "old"  # the reader was done before


class Moment:
    """Does something before the step number `step` of a reader, from 0."""

    def __init__(self, step, disturb):
        self._left, self._disturb = step, disturb
        self.is_over = False

    def watch(self, patch):
        for owner, name in ((layout.Store, "read"), (BlockReader, "read")):
            patch.setattr(owner, name, self._before(getattr(owner, name)))
        patch.setattr(reader, "open_store", self._before(reader.open_store))

    def _before(self, step):
        def wrapped(*args, **kwargs):
            if not self.is_over:
                if self._left == 0:
                    self.is_over = True
                    self._disturb()
                self._left -= 1
            return step(*args, **kwargs)

        return wrapped


class TestDifferentKeys:
    def test_fault_19_neither_waits_for_the_other(self, config, photos, expected, tmp_path):
        other = config_of(photos, config.cache_dir, image_size=40)
        with Holder(config, after=BLOCK) as holder:
            second, n_images = run_alone(other)
            assert n_images == N_IMAGES
            assert holder.process.is_alive()
            holder.finish()
        first = prepare(config).store
        assert first != second
        assert first.parent == second.parent
        assert files_of(first) == files_of(expected)
        alone, _ = run_alone(config_of(photos, tmp_path / "other", image_size=40))
        assert files_of(second) == files_of(alone)

    def test_fault_19_both_started_at_once_finish_without_being_refused(
        self, config, photos, expected
    ):
        other = config_of(photos, config.cache_dir, image_size=40)
        barrier, results = PROCESSES.Barrier(2), PROCESSES.Queue()
        started = [
            PROCESSES.Process(target=race, args=(each, barrier, results))
            for each in (config, other)
        ]
        for process in started:
            process.start()
        outcomes = [results.get(timeout=LONGEST) for _ in started]
        for process in started:
            process.join(LONGEST)
        assert outcomes == [(0, N_IMAGES), (0, N_IMAGES)]
        assert files_of(prepare(config).store) == files_of(expected)
        assert len(cache.list_stores(config.cache_dir)) == 2

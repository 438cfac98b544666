import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import ExtractConfig
from pipeline.extraction import stream
from pipeline.extraction.ledger import Stopwatch
from pipeline.extraction.preparing import prepare
from pipeline.extraction.stream import ComputedRows, plan_batches
from pipeline.images import read_batches
from pipeline.records import Status
from tests.conftest import MeanColourEngine


def plan(blocks, missing, size):
    is_missing = np.zeros(100, np.bool_)
    is_missing[list(missing)] = True
    rows = [np.arange(first, last) for first, last in blocks]
    return [batch.tolist() for batch in plan_batches(rows, is_missing, size)]


def test_blocks_of_which_nothing_is_there_make_batches_of_their_own():
    assert plan([(0, 5), (5, 10)], range(10), 4) == [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9]]


def test_what_is_missing_of_several_blocks_is_one_batch():
    assert plan([(0, 8), (8, 16), (16, 24)], [1, 9, 17, 23], 4) == [[1, 9, 17, 23]]


def test_a_full_batch_does_not_wait_for_the_end():
    assert plan([(0, 8), (8, 16)], [1, 2, 3, 9, 10], 2) == [[1, 2], [3, 9], [10]]


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_a_whole_block_between_partial_ones_keeps_the_order(size):
    batches = plan([(0, 4), (4, 8), (8, 12)], [1, 4, 5, 6, 7, 9], size)
    assert [row for batch in batches for row in batch] == [1, 4, 5, 6, 7, 9]
    assert max(map(len, batches)) <= size
    if size <= 4:
        # The whole block is computed in the same batches as in a run that has only it to do.
        assert [b for b in batches if b[0] in range(4, 8)] == plan([(4, 8)], range(4, 8), size)


def test_blocks_that_are_shorter_than_a_batch_share_one():
    assert plan([(0, 3), (3, 6), (6, 9)], range(9), 6) == [[0, 1, 2, 3, 4, 5], [6, 7, 8]]


def test_nothing_to_do_is_no_batch():
    assert plan([(0, 4)], [], 4) == []
    assert plan([], [], 4) == []


class Echoing(MeanColourEngine):
    """Tells when it is asked for more, and when it is stopped."""

    def __init__(self, batch_size):
        super().__init__(batch_size)
        self.sizes, self.was_closed = [], False

    def infer_many(self, batches):
        try:
            for (images,) in batches:
                self.sizes.append(len(images))
                yield images.mean(axis=(1, 2), dtype=np.float64).astype(np.float32) / 255
        finally:
            self.was_closed = True


class TestComputedRows:
    @pytest.fixture
    def job(self, photos, tmp_path):
        (photos / "blue" / "03.jpg").write_bytes(b"")
        return prepare(
            ExtractConfig(
                dataset=str(photos), image_size=32, weights="random", cache_dir=tmp_path / "cache"
            )
        )

    def compute(self, job, engine, *, stopwatch=None, seen=None):
        rows = np.arange(len(job.manifest))
        batches = plan_batches([rows], np.ones(len(rows), np.bool_), engine.batch_size)
        on_rows = seen.append if seen is not None else lambda n: None
        return ComputedRows(job, engine, batches, stopwatch or Stopwatch(), on_rows)

    @pytest.mark.parametrize("size", [1, 5, 64])
    @pytest.mark.parametrize("portions", [(36,), (0, 7, 0, 29), (1,) * 36, (35, 1)])
    def test_rows_come_in_any_portions_and_in_order(self, job, size, portions):
        with closing(self.compute(job, Echoing(36))) as computed:
            whole = computed.take(36)
        assert whole.status.tolist() == [Status.OK] * 3 + [Status.EMPTY] + [Status.OK] * 32
        with closing(self.compute(job, Echoing(size))) as computed:
            parts = [computed.take(n) for n in portions]
        assert [len(part) for part in parts] == list(portions)
        for name in ("values", "status", "oddities"):
            found = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(found, getattr(whole, name))

    def test_what_is_computed_is_told_as_it_comes(self, job):
        seen = []
        with closing(self.compute(job, Echoing(5), seen=seen)) as computed:
            computed.take(7)
            assert seen == [5, 5]
            computed.take(3)
            assert seen == [5, 5]
            computed.take(26)
        assert seen == [5] * 7 + [1]

    def test_stopping_early_stops_the_engine_and_the_decoding(self, job):
        engine = Echoing(2)
        before = threading.active_count()
        computed = self.compute(job, engine)
        computed.take(4)
        assert not engine.was_closed
        computed.close()
        assert engine.was_closed
        assert engine.sizes == [2, 2]
        assert threading.active_count() == before

    def test_closing_what_never_began_is_no_error(self, job):
        engine = Echoing(2)
        self.compute(job, engine).close()
        assert engine.sizes == []

    def test_waiting_for_images_is_decoding_and_for_values_inference(self, job, monkeypatch):
        class Slow(Echoing):
            def infer_many(self, batches):
                for values in super().infer_many(batches):
                    time.sleep(0.05)
                    yield values

        def read_slowly(*args, **kwargs):
            for batch in read_batches(*args, **kwargs):
                time.sleep(0.1)
                yield batch

        monkeypatch.setattr(stream, "read_batches", read_slowly)
        stopwatch = Stopwatch()
        with closing(self.compute(job, Slow(12), stopwatch=stopwatch)) as computed:
            computed.take(36)
        found = stopwatch.read()
        assert found.decoding >= 0.3
        assert found.inference >= 0.15
        assert found.start == found.writing == 0

    def test_small_batches_keep_every_decoding_thread_busy(self, job, monkeypatch):
        asked = []

        def read(manifest, batches, geometries, *, workers, ahead):
            asked.append((workers, ahead))
            return iter(())

        monkeypatch.setattr(stream, "read_batches", read)
        for workers, size in ((5, 1), (5, 3), (5, 64), (1, 8)):
            settled = replace(job, config=replace(job.config, workers=workers))
            self.compute(settled, Echoing(size)).close()
        assert asked == [(5, 10), (5, 4), (5, 2), (1, 2)]

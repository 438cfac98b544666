"""Blocks are written in the background: in order, one at a time, and no error is lost."""

import errno
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace

import numpy as np
import pytest

from pipeline import cache, durable
from pipeline.errors import CacheError
from pipeline.extraction.ledger import Stopwatch
from pipeline.extraction.stream import Rows
from pipeline.extraction.writing import BlockWriter
from pipeline.records import Oddity, Status
from tests.made_stores import (
    PATHS,
    WIDTH,
    make_manifest,
    make_recipe,
    make_store,
    small_blocks,
    values_of,
)

__all__ = ["small_blocks"]
PATIENCE = 20.0  # seconds until something that hangs is a failure


class HeldWriter:
    """Stands in for a StoreWriter: each commit waits until it is let through."""

    def __init__(self, *, fails_at=None, held=True):
        self.sealed, self.committed = [], []
        self.begun = threading.Semaphore(0)
        self._gate = threading.Semaphore(0) if held else None
        self._fails_at = fails_at

    def let_through(self):
        self._gate.release()

    def seal(self, rows, values, status, oddities):
        self.sealed.append(int(rows[0]))
        return int(rows[0]), values.copy()

    def commit(self, block):
        self.begun.release()
        if self._gate is not None:
            assert self._gate.acquire(timeout=PATIENCE)
        if block[0] == self._fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.committed.append(block)


def block(number):
    rows = np.full(1, number, np.int64)
    return rows, Rows(
        values=np.full((1, WIDTH), number, np.float32),
        status=np.zeros(1, np.uint8),
        oddities=np.zeros(1, np.uint16),
    )


class Putting(threading.Thread):
    """Puts a block from another thread, since it is to wait."""

    def __init__(self, out, number):
        super().__init__(daemon=True)
        self._put = lambda: out.put(*block(number))
        self.start()

    def run(self):
        self._put()

    @property
    def waits(self):
        self.join(0.1)
        return self.is_alive()


@pytest.fixture
def open_writer():
    """Make block writers that are closed in the end."""
    with ExitStack() as stack:

        def open_writer(writer, stopwatch=None):
            stack.enter_context(suppress(OSError, CacheError))
            return stack.enter_context(BlockWriter(writer, stopwatch or Stopwatch()))

        yield open_writer


def test_blocks_are_written_in_the_order_they_come(open_writer):
    writer = HeldWriter(held=False)
    out = open_writer(writer)
    for number in range(50):
        out.put(*block(number))
    out.flush()
    assert [number for number, _ in writer.committed] == list(range(50))
    assert [values[0, 0] for _, values in writer.committed] == list(range(50))


def test_the_caller_goes_on_while_a_block_is_written(open_writer):
    writer = HeldWriter()
    out = open_writer(writer)
    out.put(*block(1))  # does not wait
    assert writer.begun.acquire(timeout=PATIENCE)
    assert writer.committed == []
    writer.let_through()
    out.flush()
    assert len(writer.committed) == 1


def test_no_second_block_waits_behind_a_slow_one(open_writer):
    writer = HeldWriter()
    out = open_writer(writer)
    out.put(*block(1))
    second = Putting(out, 2)
    assert writer.begun.acquire(timeout=PATIENCE)
    assert second.waits
    assert writer.sealed == [1]
    writer.let_through()
    second.join(PATIENCE)
    assert not second.is_alive()
    assert [number for number, _ in writer.committed] == [1]
    writer.let_through()
    out.flush()
    assert [number for number, _ in writer.committed] == [1, 2]


def test_flushing_waits_for_the_last_block(open_writer):
    writer = HeldWriter()
    out = open_writer(writer)
    out.flush()  # of nothing
    out.put(*block(1))
    thread = threading.Thread(target=out.flush, daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    writer.let_through()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert len(writer.committed) == 1


@pytest.mark.parametrize("notice", ["put", "flush"])
def test_an_error_is_raised_at_the_next_call_and_nothing_is_written_after_it(open_writer, notice):
    writer = HeldWriter(held=False, fails_at=2)
    out = open_writer(writer)
    out.put(*block(1))
    out.put(*block(2))
    for _ in range(2):  # it does not go away by itself
        with pytest.raises(OSError, match="No space left"):
            out.put(*block(3)) if notice == "put" else out.flush()
    assert writer.sealed == [1, 2]
    assert [number for number, _ in writer.committed] == [1]


@pytest.mark.parametrize(
    ("first", "raised"), [(None, OSError), (ValueError, OSError), (KeyboardInterrupt, None)]
)
def test_leaving_waits_for_the_block_and_says_what_went_wrong_first(first, raised):
    """Another error may have come of the disk's; an interruption has not."""
    writer = HeldWriter(fails_at=1)

    def let_through_late():
        assert writer.begun.acquire(timeout=PATIENCE)
        writer.let_through()

    def write():
        with BlockWriter(writer, Stopwatch()) as out:
            out.put(*block(1))
            threading.Thread(target=let_through_late, daemon=True).start()
            if first is not None:
                raise first

    with pytest.raises(raised or first):
        write()
    assert (writer.sealed, writer.committed) == ([1], [])


@pytest.mark.parametrize("first", [ValueError, KeyboardInterrupt])
def test_an_error_while_all_goes_well_in_the_background_stays_itself(first):
    writer = HeldWriter()

    def write():
        with BlockWriter(writer, Stopwatch()) as out:
            out.put(*block(1))
            threading.Timer(0.1, writer.let_through).start()
            raise first

    with pytest.raises(first):
        write()
    assert [number for number, _ in writer.committed] == [1]


def test_leaving_lets_the_block_that_is_written_come_to_its_end():
    writer = HeldWriter()

    def write():
        with BlockWriter(writer, Stopwatch()) as out:
            out.put(*block(1))

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    writer.let_through()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert [number for number, _ in writer.committed] == [1]


def test_only_waiting_is_counted_as_waiting_and_the_work_apart(open_writer):
    writer, stopwatch = HeldWriter(), Stopwatch()
    out = open_writer(writer, stopwatch)
    out.put(*block(1))
    writer.let_through()
    out.flush()
    before = stopwatch.read()
    assert before.work_hashing > 0
    assert before.work_writing > 0
    out.put(*block(2))
    threading.Timer(0.1, writer.let_through).start()
    out.flush()
    after = stopwatch.read()
    assert after.work_writing - before.work_writing >= 0.09
    assert after.hashing + after.writing - before.hashing - before.writing >= 0.09
    out.put(*block(3))
    writer.let_through()
    assert writer.begun.acquire(timeout=PATIENCE)
    time.sleep(0.1)  # the caller is busy with something else
    out.flush()
    last = stopwatch.read()
    assert last.rest - after.rest >= 0.09
    assert last.total == pytest.approx(sum(last.waits.values()))


class TestStore:
    def fill(self, store, out):
        values = values_of(PATHS)
        for first in range(0, len(PATHS), 4):
            rows = np.arange(first, first + 4)
            out.put(
                rows,
                Rows(
                    values=values[rows].copy(),
                    status=np.zeros(4, np.uint8),
                    oddities=np.where(rows == 5, Oddity.GREY, 0).astype(np.uint16),
                ),
            )
        out.flush()

    @pytest.fixture
    def writer(self, tmp_path, small_blocks):
        manifest = make_manifest({path: path for path in PATHS})
        recipe = make_recipe(manifest)
        return cache.StoreWriter(make_store(tmp_path, blocks=0), recipe)

    def test_what_is_put_is_what_is_read(self, tmp_path, open_writer, writer):
        out = open_writer(writer)
        self.fill(writer.path, out)
        writer.finish()
        table = cache.read_features(writer.path)
        np.testing.assert_array_equal(table.features, values_of(PATHS))
        assert table.oddities == {"grey": 1}
        assert (writer.status == Status.OK).all()

    def test_after_a_full_disk_what_was_committed_stays_and_nothing_comes_behind(
        self, open_writer, writer, monkeypatch
    ):
        out, real = open_writer(writer), durable.step

        def step(action, path):
            if "/features/c/1/" in str(path):
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            real(action, path)

        with monkeypatch.context() as full:
            full.setattr(durable, "step", step)
            with pytest.raises(OSError, match="No space left"):
                self.fill(writer.path, out)
        assert [rows[0] for rows in writer.pending] == [4, 8]
        assert not (writer.path / "features" / "c" / "2").exists()

    def test_values_that_do_not_fit_are_refused_at_the_next_call(self, open_writer, writer):
        out = open_writer(writer)
        rows, wrong = block(0)
        out.put(rows, replace(wrong, values=wrong.values[:, 1:]))
        with pytest.raises(CacheError, match=r"expected values of shape \(1, 5\), got \(1, 4\)"):
            out.flush()

import json

import numpy as np
import pytest

from pipeline.cache import StoredRows, StoreWriter, blocks, reader
from pipeline.cache import rows as rows_module
from pipeline.errors import CacheCorruptError, CacheError
from pipeline.records import Oddity, Status
from tests.made_stores import PATHS, WIDTH, flip_a_byte, make_store, values_of, write_block


def test_values_come_block_by_block_without_bad_rows(tmp_path, small_blocks):
    rows = StoredRows(make_store(tmp_path, bad=(PATHS[1], *PATHS[4:8])))
    blocks = list(rows.iter_values())
    assert [found.tolist() for found, _ in blocks] == [[0, 2, 3], [], [8, 9, 10, 11]]
    values = np.concatenate([v for _, v in blocks])
    assert (values == values_of(PATHS)[rows.usable]).all()
    assert values.dtype == np.float32


def test_rows_in_any_order(tmp_path, small_blocks):
    oddities = np.zeros(12, np.uint16)
    oddities[[5, 10]] = [Oddity.GREY, Oddity.CMYK]
    rows = StoredRows(make_store(tmp_path, oddities=oddities))
    wanted = np.array([11, 0, 5, 5, 4, 10])
    values, found = rows.take(wanted)
    assert (values == values_of(PATHS)[wanted]).all()
    assert (values.dtype, found.dtype) == (np.float32, np.uint16)
    assert (found == oddities[wanted]).all()
    values, found = rows.take(np.array([], np.int64))
    assert (values.shape, found.shape) == ((0, 5), (0,))


def test_only_rows_with_values_can_be_taken(tmp_path, small_blocks):
    rows = StoredRows(make_store(tmp_path, bad=PATHS[5:6], blocks=2))
    for row in (5, 8):
        with pytest.raises(CacheError, match=f"row {row} has no values"):
            rows.take(np.array([4, row]))


@pytest.mark.parametrize(
    ("kept_bytes", "n_blocks", "n_reads"),
    [(rows_module.KEPT_BYTES, 12, 12), (6 * 4 * WIDTH * 4, 6, 6), (0, 4, 4), (0, 6, 24)],
)
def test_blocks_are_decoded_once_while_they_fit_into_memory(
    tmp_path, small_blocks, monkeypatch, kept_bytes, n_blocks, n_reads
):
    monkeypatch.setattr(rows_module, "KEPT_BYTES", kept_bytes)
    numbers, read = [], blocks.BlockReader.read
    monkeypatch.setattr(
        blocks.BlockReader, "read", lambda self, n: (numbers.append(n), read(self, n))[1]
    )
    contents = {f"cat/{i:02}.jpg": i for i in range(4 * n_blocks)}
    stored = StoredRows(make_store(tmp_path, contents))
    for start in range(4):
        stored.take(np.arange(start, len(contents), 4)[::-1])
    assert set(numbers) == set(range(n_blocks))
    assert len(numbers) == n_reads


def test_of_a_store_that_is_not_complete_the_committed_blocks_come(tmp_path, small_blocks):
    rows = StoredRows(make_store(tmp_path, blocks=2))
    assert [found.tolist() for found, _ in rows.iter_values()] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def writer_of(path):
    return StoreWriter(path, StoredRows(path).about.recipe)


@pytest.mark.parametrize("complete", [True, False])
def test_rows_of_blocks_that_are_pending_again_have_no_values(tmp_path, small_blocks, complete):
    oddities = np.full(12, Oddity.GREY, np.uint16)
    path = make_store(tmp_path, blocks=None if complete else 3, oddities=oddities)
    assert StoredRows(path).n_committed == 3
    writer_of(path).reopen(np.arange(4, 8))
    rows = StoredRows(path)
    assert rows.n_committed == 2
    assert rows.usable.tolist() == [True] * 4 + [False] * 4 + [True] * 4
    assert rows.status[4:8].tolist() == [Status.PENDING] * 4
    assert (rows.status.dtype, rows.oddities.dtype) == (np.uint8, np.uint16)
    assert rows.oddities[3:9].tolist() == [Oddity.GREY] + [0] * 4 + [Oddity.GREY]
    assert [found.tolist() for found, _ in rows.iter_values()] == [[0, 1, 2, 3], [8, 9, 10, 11]]


def write_again(path, rows, status=Status.OK):
    """Write one block of a complete store anew, as `cache verify --repair` does."""
    writer = writer_of(path)
    writer.reopen(rows)
    n = len(rows)
    values = np.ones((n, WIDTH), np.float32)
    write_block(writer, rows, values, np.full(n, status, np.uint8))
    writer.finish()


@pytest.mark.parametrize("block", [0, 1])
def test_a_store_that_is_reopened_while_it_is_read_is_refused(tmp_path, small_blocks, block):
    path = make_store(tmp_path)
    values = StoredRows(path).iter_values()
    assert next(values)[0].tolist() == [0, 1, 2, 3]
    writer_of(path).reopen(np.arange(4) + 4 * block)
    with pytest.raises(CacheError, match=r"written while it was being read. Run this again"):
        list(values)


def test_a_block_of_a_store_that_is_not_complete_may_become_pending(tmp_path, small_blocks):
    path = make_store(tmp_path, blocks=3)
    values = StoredRows(path).iter_values()
    writer_of(path).reopen(np.arange(4))
    with pytest.raises(CacheError, match=r"written anew while it was being read. Run this again"):
        next(values)


def test_a_block_that_is_written_anew_while_its_store_is_read_is_refused(tmp_path, small_blocks):
    path = make_store(tmp_path)
    rows = StoredRows(path)
    values = rows.iter_values()
    write_again(path, np.arange(4, 8), Status.CORRUPT)
    assert next(values)[0].tolist() == [0, 1, 2, 3]
    for read in (lambda: next(values), lambda: rows.take(np.array([5]))):
        with pytest.raises(CacheError, match=r"written anew while it was being read. Run this"):
            read()


@pytest.mark.parametrize("checked_first", [True, False])
def test_a_store_that_is_reopened_while_it_is_opened_is_refused(
    tmp_path, small_blocks, monkeypatch, checked_first
):
    path, digest = make_store(tmp_path), reader.content_digest
    writer = writer_of(path)

    def reopening(store):
        found = digest(store)
        writer.reopen(np.arange(4, 8))
        return found if checked_first else digest(store)

    monkeypatch.setattr(reader, "content_digest", reopening)
    with pytest.raises(CacheError, match=r"while it was being read. Run this again"):
        StoredRows(path)


def test_names(tmp_path):
    rows = StoredRows(make_store(tmp_path))
    assert rows.name_labels().tolist() == ["cat"] * 6 + ["dog"] * 6
    assert set(rows.name_groups().tolist()) == {""}
    assert len(rows) == 12


def test_a_damaged_block_is_named(tmp_path, small_blocks):
    path = make_store(tmp_path)
    flip_a_byte(path, "features/c/1/0")
    rows = StoredRows(path)
    with pytest.raises(CacheCorruptError, match=r"block 1 \(rows 4 to 7\)"):
        list(rows.iter_values())
    with pytest.raises(CacheCorruptError, match="block 1"):
        rows.take(np.array([5]))


def test_labels_that_were_altered_are_noticed(tmp_path):
    path = make_store(tmp_path)
    found = json.loads((path / "zarr.json").read_bytes())
    found["attributes"]["class_names"] = ["dog", "cat"]
    (path / "zarr.json").write_text(json.dumps(found))
    with pytest.raises(CacheCorruptError, match="changed after writing"):
        StoredRows(path)

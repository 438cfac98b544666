import json

import numpy as np
import pytest

from pipeline.cache import StoredRows
from pipeline.errors import CacheCorruptError
from tests.made_stores import PATHS, flip_a_byte, make_store, values_of


def test_values_come_block_by_block_without_bad_rows(tmp_path, small_blocks):
    rows = StoredRows(make_store(tmp_path, bad=(PATHS[1], *PATHS[4:8])))
    blocks = list(rows.iter_values())
    assert [found.tolist() for found, _ in blocks] == [[0, 2, 3], [], [8, 9, 10, 11]]
    values = np.concatenate([v for _, v in blocks])
    assert (values == values_of(PATHS)[rows.usable]).all()
    assert values.dtype == np.float32


def test_rows_in_any_order(tmp_path, small_blocks):
    rows = StoredRows(make_store(tmp_path))
    wanted = np.array([11, 0, 5, 5, 4, 10])
    assert (rows.take(wanted) == values_of(PATHS)[wanted]).all()
    assert rows.take(np.array([], np.int64)).shape == (0, 5)


def test_of_a_store_that_is_not_complete_the_committed_blocks_come(tmp_path, small_blocks):
    rows = StoredRows(make_store(tmp_path, blocks=2))
    assert [found.tolist() for found, _ in rows.iter_values()] == [[0, 1, 2, 3], [4, 5, 6, 7]]


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

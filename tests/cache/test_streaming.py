import numpy as np
import pytest

from pipeline.cache import read_features, read_samples, stream_features
from pipeline.errors import CacheCorruptError, CacheIncompleteError
from tests.made_stores import PATHS, make_store


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, bad=(PATHS[0], PATHS[5], PATHS[11]))


def test_rows_and_values_are_those_that_are_read_at_once(store):
    table, samples = read_features(store), read_samples(store)
    for name in ("labels", "split", "group", "sha256"):
        np.testing.assert_array_equal(getattr(samples, name), getattr(table, name))
    for name in ("paths", "class_names", "content_sha256", "n_found", "n_features", "skipped"):
        assert getattr(samples, name) == getattr(table, name)
    assert not hasattr(samples, "features")
    read, n_seen = [], 0
    for rows, values in stream_features(store):
        assert rows.start == n_seen
        n_seen = rows.stop
        read.append(values)
    assert n_seen == len(table.labels) == len(PATHS) - 3
    np.testing.assert_array_equal(np.concatenate(read), table.features)
    assert values.dtype == np.float32


def test_half_a_store_is_refused(tmp_path):
    store = make_store(tmp_path, blocks=1)
    for read in (read_samples, lambda path: next(stream_features(path))):
        with pytest.raises(CacheIncompleteError):
            read(store)


def test_a_damaged_block_is_named_when_it_comes(store):
    chunk = store / "features" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-3])
    with pytest.raises(CacheCorruptError, match="block 0"):
        list(stream_features(store))


def test_blocks_can_be_asked_for_in_any_order(store):
    in_order = {rows.start: values for rows, values in stream_features(store)}
    order = np.arange(len(in_order))[::-1]
    backwards = list(stream_features(store, order))
    assert [rows.start for rows, _ in backwards] == sorted(in_order, reverse=True)
    for rows, values in backwards:
        np.testing.assert_array_equal(values, in_order[rows.start])

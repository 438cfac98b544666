import pytest

from pipeline import durable


def test_folders_are_made_but_not_the_one_that_somebody_deleted(tmp_path):
    store = tmp_path / "cache" / "store"
    with pytest.raises(FileNotFoundError, match=r"store.a"):
        durable.write_file(store / "a" / "b", b"x", within=store)
    assert not store.parent.exists()
    store.mkdir(parents=True)
    durable.write_file(store / "a" / "b", b"x", within=store)
    durable.write_file(store / "c", b"y", within=store)
    assert (store / "a" / "b").read_bytes() == b"x"
    assert (store / "c").read_bytes() == b"y"


def test_without_a_limit_all_folders_above_are_made(tmp_path):
    durable.write_file(tmp_path / "a" / "b" / "c", b"x")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"x"

import pytest

from pipeline.cache import read_info, resolve_store
from pipeline.errors import CacheNotFoundError, ConfigError
from tests.made_stores import PATHS, make_store


@pytest.fixture
def stores(tmp_path):
    return [make_store(tmp_path), make_store(tmp_path, dict.fromkeys(PATHS[:4]))]


def test_a_store_has_many_names(tmp_path, stores, monkeypatch):
    path = stores[0]
    key = read_info(path).key
    names = [str(path), path.name, path.stem, f"pets/{path.name}", f"pets/{path.stem}"]
    for name in [*names, key, key[:8], key[:12], key[:2]]:
        assert resolve_store(tmp_path, name) == path
    monkeypatch.chdir(path)
    assert resolve_store(tmp_path, ".") == path


def test_a_damaged_store_is_found_by_its_name(tmp_path, stores):
    (stores[0] / "zarr.json").unlink()
    assert resolve_store(tmp_path, stores[0].stem) == stores[0]


def test_a_key_that_begins_alike_but_is_another_is_not_meant(tmp_path, stores):
    key = read_info(stores[0]).key
    with pytest.raises(CacheNotFoundError, match="pipeline cache ls"):
        resolve_store(tmp_path, key[:8] + "".join("0" if c != "0" else "1" for c in key[8:]))


@pytest.mark.parametrize("name", ["", "nothing", "/", "..", "0" * 64, "x"])
def test_what_is_not_there_is_said(tmp_path, stores, name):
    with pytest.raises(CacheNotFoundError, match="no store"):
        resolve_store(tmp_path, name)


def test_several_are_listed(tmp_path, stores):
    twin = tmp_path / "others" / stores[0].name
    twin.parent.mkdir()
    twin.mkdir()
    with pytest.raises(ConfigError, match=f"others/{twin.name}") as caught:
        resolve_store(tmp_path, stores[0].stem)
    assert str(stores[0]) in str(caught.value)

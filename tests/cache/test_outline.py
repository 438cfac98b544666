import json
import os

import pytest

from pipeline import cache
from pipeline.cache import outline
from pipeline.errors import CacheCorruptError, CacheNotFoundError
from tests.made_stores import PATHS, make_store


def test_the_quick_way_says_what_opening_the_store_says(tmp_path, monkeypatch):
    path = make_store(tmp_path)
    info = cache.read_info(path)
    monkeypatch.setattr(outline, "open_store", None)  # is not needed
    found = cache.read_outline(path)
    assert (found.about.key, found.about.recipe.to_dict()) == (info.key, info.recipe)
    assert (found.n_rows, found.width, found.n_blocks) == (info.n_rows, info.width, 1)
    assert found.about.content_sha256 == info.content_sha256


def change(path, edit):
    found = json.loads(path.read_bytes())
    edit(found)
    path.write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("part", "edit"),
    [
        (".", lambda found: found["attributes"].update(key="0" * 64)),
        (".", lambda found: found["attributes"].update(format_version=1)),
        (".", lambda found: found.pop("attributes")),
        ("features", lambda found: found.update(shape=[12, 6])),
        ("labels", lambda found: found.update(shape=[11])),
        ("status", lambda found: found.update(data_type="int32")),
        ("commit", lambda found: found["chunk_grid"]["configuration"].update(chunk_shape=[2, 32])),
    ],
)
def test_whatever_opening_the_store_refuses_is_refused(tmp_path, part, edit):
    path = make_store(tmp_path)
    change(path / part / "zarr.json", edit)
    with pytest.raises(CacheCorruptError, match=path.name):
        cache.read_outline(path)


def test_what_is_gone_or_empty_is_named(tmp_path):
    with pytest.raises(CacheNotFoundError, match="no store at"):
        cache.read_outline(tmp_path / "none.zarr")
    path = make_store(tmp_path)
    (path / "split" / "zarr.json").unlink()
    with pytest.raises(CacheCorruptError, match="split"):
        cache.read_outline(path)


def test_committed_blocks_are_counted(tmp_path, small_blocks):
    path = make_store(tmp_path, blocks=2)
    assert cache.count_committed(path) == 2
    assert cache.read_outline(path).n_blocks == 3
    assert cache.read_outline(path).n_rows == len(PATHS)


def test_bytes_are_those_of_the_files_and_links_count_for_themselves(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 100)
    (tmp_path / "a" / "file").write_bytes(b"x" * 10)
    assert cache.count_bytes(tmp_path / "a") == 110
    assert cache.count_bytes(tmp_path / "a" / "file") == 10
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert cache.count_bytes(tmp_path / "link") < 110 or len(os.fspath(tmp_path)) > 100
    assert cache.count_bytes(tmp_path / "nothing") == 0


def test_only_names_of_stores_are_listed(tmp_path):
    path = make_store(tmp_path)
    damaged = tmp_path / "pets" / "vgg16-00000000.zarr"
    damaged.mkdir()
    (tmp_path / "pets" / f".{path.name}.overwrite").mkdir()
    (tmp_path / "pets" / ".hidden.zarr").mkdir()
    assert cache.list_store_paths(tmp_path) == [path, damaged]
    assert cache.list_store_paths(tmp_path / "nothing") == []

"""Putting a new store in the place of an old one."""

import shutil

import numpy as np
import pytest

from pipeline import cache, durable
from pipeline.cache import replacing
from pipeline.cache.writer import StoreWriter
from pipeline.errors import CacheError, CacheIncompleteError
from tests.cache.test_cache import make_manifest
from tests.made_stores import make_recipe, write_block


def make(path, value, *, blocks=None):
    manifest = make_manifest()
    recipe = make_recipe(manifest)
    cache.create_store(path, manifest, recipe, width=2, provenance={})
    writer = StoreWriter(path, recipe)
    for rows in writer.pending[:blocks]:
        values = np.full((len(rows), 2), value, np.float32)
        write_block(writer, rows, values)
    if blocks is None:
        writer.finish()
    return path


def value_of(path):
    return cache.read_features(path).features[0, 0]


@pytest.fixture
def old(tmp_path):
    path = cache.store_path(tmp_path, "photos", make_recipe(make_manifest()))
    return make(path, 1)


@pytest.fixture
def new(old):
    return make(cache.overwrite_path(old), 2)


def names_beside(path):
    return sorted(p.name for p in path.parent.iterdir() if p.suffix != ".lock")


def replaced(path):
    return path.with_name(f".{path.name}.replaced")


def test_the_new_one_takes_the_place_of_the_old_one(tmp_path, old, new):
    assert [info.path for info in cache.list_stores(tmp_path)] == [old]
    assert value_of(old) == 1
    with cache.lock_store(old):
        cache.swap_store(new, old)
    assert value_of(old) == 2
    assert names_beside(old) == [old.name]


def test_there_need_be_no_old_one(old, new):
    shutil.rmtree(old)
    cache.swap_store(new, old)
    assert value_of(old) == 2


def test_a_new_one_that_is_not_complete_is_refused(old):
    new = make(cache.overwrite_path(old), 2, blocks=0)
    with pytest.raises(CacheIncompleteError, match="not complete"):
        cache.swap_store(new, old)
    assert value_of(old) == 1


def test_an_old_one_that_became_a_link_is_refused(tmp_path, old, new):
    old.rename(tmp_path / "real")
    old.symlink_to(tmp_path / "real")
    with pytest.raises(CacheError, match="symbolic link"):
        cache.swap_store(new, old)
    assert value_of(old) == 1


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_between_any_two_steps_is_mended(old, new, monkeypatch, renames):
    done = []

    class Killed(BaseException):
        pass

    def step(action, path):
        if action == "rename":
            if len(done) == renames:
                raise Killed
            done.append(path)

    monkeypatch.setattr(durable, "step", step)
    with pytest.raises(Killed), cache.lock_store(old):
        cache.swap_store(new, old)
    monkeypatch.undo()
    with cache.lock_store(old):
        pass
    if renames:
        assert value_of(old) == 2
        assert names_beside(old) == [old.name]
    else:
        assert value_of(old) == 1
        assert names_beside(old) == [new.name, old.name]


@pytest.mark.parametrize("left", [True, False])
def test_the_old_one_comes_back_if_there_is_no_whole_new_one(old, left):
    if left:
        make(cache.overwrite_path(old), 2, blocks=1)
    old.rename(replaced(old))
    with cache.lock_store(old):
        assert value_of(old) == 1
    assert not replaced(old).exists()


def test_a_rename_that_fails_leaves_the_old_one(old, new, monkeypatch):
    real = durable.rename

    def rename(source, target):
        if source == new:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(replacing, "rename", rename)
    with pytest.raises(CacheError, match=r"Cannot put the new store .*No space left"):
        cache.swap_store(new, old)
    monkeypatch.undo()
    assert value_of(old) == 1
    assert names_beside(old) == [new.name, old.name]


def test_what_a_killed_creator_left_of_the_new_one_is_removed(old):
    new = cache.overwrite_path(old)
    leftover = new.with_name(f".{new.name}.12ab34cd.partial")
    leftover.mkdir()
    with cache.lock_store(old):
        assert not leftover.exists()

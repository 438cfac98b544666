"""What killed runs leave in a cache is known; whatever else lies there is left alone."""

import shutil

import pytest

from pipeline import cache, durable
from pipeline.errors import CacheError, CacheLockedError
from tests.made_stores import PATHS, make_store


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, bad=PATHS[:1])


def make(store, name):
    """Make something beside a store or in it; `{}` in the name is the store's file name."""
    path = store.parent / name.format(store.name, store.stem)
    if path.suffix in (".csv", ".json") or "csv" in path.name or path.parent != store.parent:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left")
    else:
        path.mkdir()
        (path / "part").write_text("left")
    return path


LEFT_OF_A_STORE = (
    ".{0}.0123abcd.partial",
    "..{0}.overwrite.0123abcd.partial",
    ".{1}.skipped.csv.0123abcd.partial",
    ".{0}.replaced",
    ".{0}.overwrite",
    "{1}.lock.json",
    "{0}/features/c/0/.0.0123abcd.partial",
)
LEFT_WITHOUT_A_STORE = ("vgg16-00000000.skipped.csv", "vgg16-00000000.lock.json")


@pytest.mark.parametrize("name", [*LEFT_OF_A_STORE, *LEFT_WITHOUT_A_STORE])
def test_what_a_killed_run_left_is_found_and_removed(store, name):
    assert cache.find_leftovers(store.parent) == []
    path = make(store, name)
    (found,) = cache.find_leftovers(store.parent)
    assert found.path == path
    assert path.exists()
    cache.remove_leftovers(found.store)
    assert not path.exists()
    assert cache.find_leftovers(store.parent) == []
    assert cache.skipped_csv(store).exists()
    assert len(cache.read_features(store).labels) == 11


FOREIGN = (
    *("notes", "notes.partial", ".notes.partial", ".notes.zarr.partial", "photos.zarr.replaced"),
    *(".vgg16.zarr.0123abcd.partial", ".vgg16-00000000.zarr.0123ABCD.partial", "my.skipped.csv"),
    *(".vgg16-00000000.zarr.overwrite.bak", "x.lock.json", "vgg16-00000000.skipped.csv.bak"),
    *("..vgg16-00000000.zarr.0123abcd.partial", ".hashes-0123abcd.bin", "vgg16-00000000.lock"),
)


@pytest.mark.parametrize("name", FOREIGN)
def test_fault_28_what_is_not_known_is_no_leftover(store, name):
    make(store, name)
    assert cache.find_leftovers(store.parent) == []


@pytest.mark.parametrize("name", LEFT_OF_A_STORE)
def test_fault_28_links_are_no_leftovers(tmp_path, store, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = store.parent / name.format(store.name, store.stem)
    path.symlink_to(elsewhere)
    assert cache.find_leftovers(store.parent) == []


def test_the_list_of_a_store_that_is_there_is_needed(store):
    assert cache.skipped_csv(store).exists()
    assert cache.find_leftovers(store.parent) == []
    shutil.rmtree(store)
    assert [found.path for found in cache.find_leftovers(store.parent)] == [
        cache.skipped_csv(store)
    ]


def test_nothing_is_removed_while_the_store_is_written(store):
    path = make(store, "..{0}.overwrite.0123abcd.partial")
    with cache.lock_store(store):
        path.mkdir()  # made by the one who holds the lock
        with pytest.raises(CacheLockedError, match="being written"):
            cache.remove_leftovers(store)
        assert path.exists()


def test_a_new_store_that_can_be_finished_is_kept(tmp_path, store, small_blocks):
    shutil.rmtree(store)
    make_store(tmp_path, at=store)
    new = make_store(tmp_path, at=cache.overwrite_path(store), blocks=2)
    assert cache.count_resumable(store) == 2
    cache.remove_leftovers(store)
    assert cache.count_committed(new) == 2
    shutil.rmtree(store)  # now there is nothing that it could replace
    assert cache.count_resumable(store) == 0
    cache.remove_leftovers(store)
    assert not new.exists()


@pytest.mark.parametrize("blocks", [0, "damaged"])
def test_a_new_store_in_which_nothing_is_done_is_removed(tmp_path, store, blocks):
    new = make_store(tmp_path, at=cache.overwrite_path(store), blocks=0)
    if blocks == "damaged":
        (new / "zarr.json").write_text("{")
    assert cache.count_resumable(store) == 0
    cache.remove_leftovers(store)
    assert not new.exists()


def test_a_swap_that_was_cut_off_is_mended_and_foretold(tmp_path, store):
    old = store.with_name(f".{store.name}.replaced")
    assert cache.find_mend(store) is None
    store.rename(old)
    assert cache.find_mend(store) == old
    new = make_store(tmp_path, at=store.with_name(f".{store.name}.overwrite"))
    assert cache.find_mend(store) == new
    cache.remove_leftovers(store)
    assert len(cache.read_features(store).labels) == 12
    assert not old.exists()
    assert not new.exists()


class TestRemoveStore:
    def test_all_of_it_goes(self, store):
        assert cache.list_foreign(store) == []
        cache.remove_store(store)
        assert [path.suffix for path in store.parent.iterdir()] == [".lock"]

    @pytest.mark.parametrize("name", ["notes.txt", "features/c/0/x", "features/c/0/0.bak", ".x"])
    def test_fault_28_a_store_that_holds_a_foreign_file_stays(self, store, name):
        foreign = store / name
        foreign.write_text("mine")
        assert cache.list_foreign(store) == [foreign]
        with pytest.raises(CacheError, match="not a store's"):
            cache.remove_store(store)
        assert foreign.read_text() == "mine"
        assert len(cache.read_features(store).labels) == 11

    def test_fault_28_links_are_foreign_and_not_followed(self, tmp_path, store):
        (store / "sample" / "c").symlink_to(tmp_path)
        assert cache.list_foreign(store) == [store / "sample" / "c"]
        moved = tmp_path / "moved"
        (store / "sample" / "c").unlink()
        store.rename(moved)
        store.symlink_to(moved)
        with pytest.raises(CacheError, match="is a link"):
            cache.remove_store(store)
        assert len(cache.read_features(moved).labels) == 11

    def test_one_that_is_written_stays(self, store):
        with cache.lock_store(store), pytest.raises(CacheLockedError):
            cache.remove_store(store)
        assert store.exists()

    def test_its_new_name_is_on_the_disk_before_it_is_deleted(self, store, monkeypatch):
        steps = []
        monkeypatch.setattr(durable, "step", lambda *args: steps.append(args))
        cache.remove_store(store)
        first = [action for action, _ in steps].index("rename")
        doomed = steps[first][1]
        assert steps[first:][:3] == [
            ("rename", doomed),
            ("sync", store.parent),
            ("remove", doomed),
        ]

    def test_a_kill_in_the_middle_leaves_nothing_that_is_read(self, store, monkeypatch):
        class Killed(BaseException):
            pass

        def step(action, path):
            if action == "remove":
                raise Killed

        monkeypatch.setattr(durable, "step", step)
        with pytest.raises(Killed):
            cache.remove_store(store)
        monkeypatch.undo()
        assert not store.exists()
        cache.remove_leftovers(store)
        assert [path.suffix for path in store.parent.iterdir()] == [".lock"]

import os
import time
from pathlib import Path

import pytest

from pipeline import cache
from pipeline.artifacts.leftovers import count_fits
from pipeline.datasets.hash_index import index_path
from pipeline.stages.clean import clean_cache
from tests.made_stores import PATHS, make_store


def some(n):
    return dict.fromkeys(PATHS[:n])


def add_fit(store, name="knn-01234567"):
    fit = store.with_suffix(".fits") / name
    fit.mkdir(parents=True)
    for file in ("model.json", "model.joblib", "metrics.json", "predictions.csv"):
        (fit / file).write_text("{}")
    return fit


def snapshot(folder):
    return sorted((p, p.is_file() and p.read_bytes()) for p in folder.rglob("*"))


def removed(cleaning):
    return [item.path.name for item in cleaning.removed]


def kept(cleaning):
    return {item.path.name: item.why for item in cleaning.kept}


def age(path):
    old = time.time() - 7200
    os.utime(path, (old, old))


@pytest.fixture
def messy(tmp_path):
    """A cache with a whole store, and everything that killed runs leave."""
    store = make_store(tmp_path, root=str(tmp_path / "photos"))
    folder = store.parent
    half = folder / f".{store.name}.0123abcd.partial"
    half.mkdir()
    (half / "zarr.json").write_bytes(b"x" * 100)
    (store / "status" / ".zarr.json.0123abcd.partial").write_bytes(b"x" * 10)
    (folder / "vgg16-76543210.skipped.csv").write_bytes(b"x" * 20)
    (folder / "vgg16-76543210.lock.json").write_bytes(b"{}")
    fit = add_fit(store)
    partial = fit.with_name(".knn-01234567.0123abcd.partial")
    partial.mkdir()
    (partial / "model.json").write_bytes(b"x" * 30)
    for root in ("photos", "others"):
        index = index_path(tmp_path, "pets", tmp_path / root)
        index.write_bytes(b"x" * 40)
        age(index)
    cut_off = folder / ".hashes-00000000.bin"
    cut_off = cut_off.with_name(f".{cut_off.name}.0123abcd.partial")
    cut_off.write_bytes(b"x" * 50)
    age(cut_off)
    return store


def test_what_killed_runs_left_goes(tmp_path, messy):
    before = snapshot(tmp_path)
    dry = clean_cache(tmp_path, dry_run=True)
    assert snapshot(tmp_path) == before
    done = clean_cache(tmp_path)
    assert [(i.path, i.n_bytes) for i in done.removed] == [(i.path, i.n_bytes) for i in dry.removed]
    other = index_path(tmp_path, "pets", tmp_path / "others").name
    assert sorted(removed(done)) == sorted(
        [
            f".{messy.name}.0123abcd.partial",
            ".zarr.json.0123abcd.partial",
            "vgg16-76543210.skipped.csv",
            "vgg16-76543210.lock.json",
            ".knn-01234567.0123abcd.partial",
            other,
            "..hashes-00000000.bin.0123abcd.partial",
        ]
    )
    assert done.n_bytes == 100 + 10 + 20 + 2 + 30 + 40 + 50
    gone = {item.path for item in done.removed}
    left = {path for path, _ in before if path not in gone and not gone & set(path.parents)}
    there = {path for path, _ in snapshot(tmp_path)}
    assert {path for path in there if path.suffix != ".lock" and path.name != ".lock"} == left
    assert count_fits(messy) == 1
    assert len(cache.read_features(messy).labels) == 12
    assert clean_cache(tmp_path).removed == []


def test_fault_28_foreign_files_are_left_alone(tmp_path, messy):
    clean_cache(tmp_path)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / f".{messy.name}.0123abcd.partial").write_text("mine")
    folder = messy.parent
    foreign = [
        *("notes.partial", ".notes.0123abcd.partial", "my.skipped.csv", "a.lock.json", ".hashes"),
        *(".hashes-0123abcd.bin.bak", "vgg16-0123abcd.zarr.zip", ".x.zarr.overwrite"),
    ]
    for name in foreign:
        (folder / name).write_text("mine")
        age(folder / name)
        (tmp_path / name).write_text("mine")
    (messy.with_suffix(".fits") / ".notes.partial").mkdir()
    (tmp_path / "linked").symlink_to(elsewhere)
    (folder / ".vgg16-0123abcd.zarr.0123abcd.partial").symlink_to(elsewhere)
    (folder / "vgg16-0123abcd.zarr").symlink_to(elsewhere)
    (folder / ".vgg16-0123abcd.zarr.replaced").mkdir()
    before, outside = snapshot(tmp_path), snapshot(elsewhere)
    found = clean_cache(tmp_path, superseded=True)
    assert found.removed == []
    assert snapshot(tmp_path) == before
    assert snapshot(elsewhere) == outside
    assert {"linked", "vgg16-0123abcd.zarr"} <= set(kept(found))


def test_what_another_process_is_writing_stays(tmp_path, messy):
    with cache.lock_store(messy):
        building = messy.with_name(f".{messy.name}.0123abcd.partial")
        building.mkdir()
        found = clean_cache(tmp_path)
        assert building.exists()
    assert building.name not in removed(found)
    assert kept(found)[messy.name] == f"being written by process {os.getpid()}"


def test_a_lock_that_is_taken_in_the_meantime_is_obeyed(tmp_path, messy, monkeypatch):
    monkeypatch.setattr("pipeline.stages.clean.find_holder", lambda store: None)
    building = messy.with_name(f".{messy.name}.0123abcd.partial")
    with cache.lock_store(messy):
        building.mkdir()
        found = clean_cache(tmp_path)
    assert building.exists()
    assert building.name not in removed(found)
    assert "another process" in kept(found)[messy.name]


def test_a_fit_that_is_being_written_stays(tmp_path, messy):
    import filelock

    fits = messy.with_suffix(".fits")
    with filelock.FileLock(fits / ".lock"):
        found = clean_cache(tmp_path)
    assert (fits / ".knn-01234567.0123abcd.partial").exists()
    assert "being written" in kept(found)[fits.name]


def test_what_can_be_resumed_stays_and_says_how(tmp_path, small_blocks, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"dataset": "my pets", "precision": "bfloat16"}
    store = make_store(tmp_path, blocks=1, settings=settings)
    whole = make_store(tmp_path, some(8), settings=settings)
    new = make_store(tmp_path, some(8), at=cache.overwrite_path(whole), blocks=1)
    found = clean_cache(tmp_path, superseded=True)
    assert found.removed == []
    command = (
        "extract --dataset 'my pets' --model efficientnet-lite0 --cache-dir . --precision bfloat16"
    )
    assert kept(found)[store.name] == f"33% done; `{command}` goes on, or delete the folder"
    assert kept(found)[new.name].startswith("50% done; `extract --dataset pets")
    assert "--overwrite` goes on" in kept(found)[new.name]
    assert cache.count_committed(store) == cache.count_committed(new) == 1


def test_a_damaged_store_stays_and_so_do_all_hashes_of_its_data_set(tmp_path, messy):
    index = index_path(tmp_path, "pets", tmp_path / "others")
    (messy / "zarr.json").write_text("{")
    found = clean_cache(tmp_path, superseded=True)
    assert kept(found)[messy.name].startswith("damaged: ")
    assert index.exists()


def test_an_index_that_was_just_written_stays(tmp_path):
    make_store(tmp_path)
    index = index_path(tmp_path, "pets", Path("/new"))
    index.write_bytes(b"x")
    assert clean_cache(tmp_path).removed == []
    age(index)
    assert removed(clean_cache(tmp_path)) == [index.name]


def test_a_cut_off_swap_is_mended(tmp_path):
    store = make_store(tmp_path)
    old = store.with_name(f".{store.name}.replaced")
    store.rename(old)
    dry = clean_cache(tmp_path, dry_run=True)
    assert removed(dry) == []
    assert "the whole store" in kept(dry)[old.name]
    assert old.exists()
    clean_cache(tmp_path)
    assert len(cache.read_features(store).labels) == 12


def test_fits_on_a_store_that_is_gone_stay(tmp_path):
    fit = add_fit(tmp_path / "pets" / "vgg16-76543210.zarr")
    found = clean_cache(tmp_path, superseded=True)
    assert found.removed == []
    assert "gone" in kept(found)[fit.parent.name]


class TestSuperseded:
    @pytest.fixture
    def stores(self, tmp_path):
        old, new = make_store(tmp_path, some(4), bad=PATHS[:1]), make_store(tmp_path, some(6))
        for moment, store in enumerate((old, new)):
            os.utime(store / "zarr.json", (moment, moment))
        add_fit(old)
        add_fit(new)
        return old, new

    def test_it_goes_with_its_fits_only_if_asked(self, tmp_path, stores):
        old, new = stores
        assert clean_cache(tmp_path).removed == []
        n_bytes = sum(
            cache.count_bytes(p) for p in (old, old.with_suffix(".fits"), cache.skipped_csv(old))
        )
        dry = clean_cache(tmp_path, superseded=True, dry_run=True)
        assert old.exists()
        found = clean_cache(tmp_path, superseded=True)
        assert found.to_dict()["removed"] == dry.to_dict()["removed"]
        assert found.n_bytes == n_bytes
        assert {item.why for item in found.removed} == {f"{new.name} stands in for it"}
        assert sorted(p.name for p in old.parent.iterdir() if p.suffix != ".lock") == sorted(
            [new.name, new.with_suffix(".fits").name]
        )
        assert count_fits(new) == 1
        assert len(cache.read_features(new).labels) == 6

    @pytest.mark.parametrize("place", ["store", "fits", "fit"])
    def test_fault_28_it_stays_with_a_foreign_file(self, tmp_path, stores, place):
        old, _ = stores
        fits = old.with_suffix(".fits")
        folder = {"store": old, "fits": fits, "fit": fits / "knn-01234567"}[place]
        (folder / "notes.txt").write_text("mine")
        before = snapshot(tmp_path)
        found = clean_cache(tmp_path, superseded=True)
        assert found.removed == []
        assert snapshot(tmp_path) == before
        assert "notes.txt" in kept(found)[old.name]

    def test_it_stays_while_it_is_written(self, tmp_path, stores):
        old, _ = stores
        with cache.lock_store(old):
            found = clean_cache(tmp_path, superseded=True)
        assert found.removed == []
        assert "being written" in kept(found)[old.name]


def test_there_need_be_no_cache(tmp_path):
    assert clean_cache(tmp_path / "nothing").to_dict() == {
        "dry_run": False,
        "removed": [],
        "kept": [],
        "n_bytes": 0,
    }


@pytest.mark.parametrize(
    ("n_rows", "labels", "said"),
    [
        (3, {}, "1 of its rows is not in it"),
        (4, dict.fromkeys(PATHS[:2], "other"), "2 of its rows are not in it, or labelled other"),
    ],
)
def test_a_store_with_rows_that_the_newer_one_lacks_is_kept(tmp_path, n_rows, labels, said):
    old = make_store(tmp_path, some(4))
    add_fit(old)
    make_store(tmp_path, some(n_rows), labels=labels)
    age(old / "zarr.json")
    found = clean_cache(tmp_path, superseded=True)
    assert removed(found) == []
    assert said in kept(found)[old.name]
    assert count_fits(old) == 1


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_network_that_was_half_converted_goes_when_it_is_old(tmp_path, dry_run):
    networks = tmp_path / "cache" / "networks"
    kept_network = networks / "vgg16@150-01234567.openvino"
    old, new = (networks / f".{kept_network.name}.{n:08}.partial" for n in range(2))
    for folder in (kept_network, old, new):
        folder.mkdir(parents=True)
        (folder / "network.bin").write_bytes(b"x" * 10)
        age(folder)
    os.utime(new)
    cleaning = clean_cache(tmp_path / "cache", dry_run=dry_run)
    (item,) = cleaning.removed
    assert (item.path, item.n_bytes, item.why) == (old, 10, "a network half converted")
    assert [old.exists(), new.exists(), kept_network.exists()] == [dry_run, True, True]

"""The list of runs beside a store: useful where it is there, missed by nobody where it is not."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from pipeline import cache
from pipeline.cache import log_replacement, log_run, read_runs, runs_jsonl
from pipeline.stages.clean import clean_cache
from tests.made_stores import make_store


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "cache")


def numbers(store):
    return [run["n"] for run in read_runs(store)]


def test_runs_are_listed_one_behind_the_other(store):
    assert read_runs(store) == []
    runs = [{"n": 1, "ledger": {"start": 0.5}}, {"n": 2, "host": "Küche\n"}]
    for run in runs:
        log_run(store, run)
    assert read_runs(store) == runs
    assert runs_jsonl(store) == store.with_suffix(".runs.jsonl")
    lines = runs_jsonl(store).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == runs


@pytest.mark.parametrize(
    "torn", [b'{"n": 2, "led', b"\xff\xfe\x00", b"7", b"[1]", b"", b'"n"'], ids=repr
)
def test_a_line_that_is_none_is_passed_over(store, torn):
    log_run(store, {"n": 1})
    with runs_jsonl(store).open("ab") as file:
        file.write(torn + b"\n")
    log_run(store, {"n": 3})
    assert numbers(store) == [1, 3]


def test_a_line_that_was_cut_off_takes_no_other_with_it(store):
    log_run(store, {"n": 1})
    with runs_jsonl(store).open("ab") as file:
        file.write(b'{"n": 2, "led')
    assert numbers(store) == [1]
    log_run(store, {"n": 3})
    assert numbers(store) == [1, 3]


def test_what_cannot_be_written_is_no_error(store, monkeypatch):
    log_run(store, {"n": 1})
    real = Path.open

    def fail(path, mode="r", *args, **kwargs):
        if mode != "r":
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return real(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", fail)
    log_run(store, {"n": 2})
    log_replacement(store)
    monkeypatch.undo()
    assert numbers(store) == [1]


def test_a_folder_that_is_gone_or_something_else_is_no_error(tmp_path, store):
    log_run(tmp_path / "gone" / "x-01234567.zarr", {"n": 1})
    assert not (tmp_path / "gone").exists()
    runs_jsonl(store).mkdir()
    log_run(store, {"n": 1})
    assert read_runs(store) == []


class TestReplacing:
    """What `extract --overwrite` replaced has runs that say nothing of what is there now."""

    @pytest.mark.parametrize(
        ("runs", "left"),
        [
            # (number, overwrite, rows left)
            ([(1, False, 0), (2, True, 0)], [2]),
            ([(1, False, 4), (2, False, 0), (3, True, 4), (4, True, 2), (5, True, 0)], [3, 4, 5]),
            ([(1, True, 0), (2, True, 0)], [2]),
            ([(1, True, 4), (2, False, 4), (3, True, 0)], [3]),
            ([(1, True, 0)], [1]),
            ([(1, True, 4), (2, True, 0)], [1, 2]),
            ([], []),
        ],
    )
    def test_only_the_runs_that_made_the_new_one_stay(self, store, runs, left):
        for number, overwrite, n_left in runs:
            log_run(store, {"n": number, "overwrite": overwrite, "n_left": n_left})
        log_replacement(store)
        assert numbers(store) == left
        log_run(store, {"n": 9, "overwrite": False, "n_left": 0})
        assert numbers(store) == [*left, 9]

    def test_what_is_there_now_may_be_replaced_again(self, store):
        for number in (1, 2, 3):
            log_run(store, {"n": number, "overwrite": True, "n_left": 0})
            log_replacement(store)
        assert numbers(store) == [3]


class TestRemoving:
    def test_the_list_goes_with_its_store(self, store):
        log_run(store, {"n": 1})
        assert runs_jsonl(store) in cache.lists_of(store)
        cache.remove_store(store)
        assert [path.suffix for path in store.parent.iterdir()] == [".lock"]

    def test_a_list_without_its_store_is_found_and_cleared_out(self, tmp_path, store):
        log_run(store, {"n": 1})
        assert cache.find_leftovers(store.parent) == []
        shutil.rmtree(store)
        (found,) = cache.find_leftovers(store.parent)
        assert (found.path, found.store) == (runs_jsonl(store), store)
        dry = clean_cache(tmp_path / "cache", dry_run=True)
        assert [item.path for item in dry.removed] == [runs_jsonl(store)]
        assert dry.removed[0].why == "a list of runs without its store"
        assert runs_jsonl(store).exists()
        clean_cache(tmp_path / "cache")
        assert not runs_jsonl(store).exists()

    def test_the_list_of_a_store_that_is_there_stays(self, tmp_path, store):
        log_run(store, {"n": 1})
        assert clean_cache(tmp_path / "cache").removed == []
        assert numbers(store) == [1]

    def test_fault_28_a_file_with_another_name_is_somebody_elses(self, tmp_path, store):
        for name in ("my.runs.jsonl", "vgg16-00000000.runs.jsonl.bak", "vgg16-0000000.runs.jsonl"):
            (store.parent / name).write_text("mine")
        assert clean_cache(tmp_path / "cache").removed == []

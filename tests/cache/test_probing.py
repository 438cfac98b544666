import json
import os
import platform
import subprocess
import sys

import filelock
import pytest

from pipeline import cache
from pipeline.cache import probing


@pytest.fixture
def store(tmp_path):
    return tmp_path / "pets" / "vgg16-12345678.zarr"


def introduce(store, **changes):
    words = {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": "today",
        "command": "extract",
        **changes,
    }
    store.parent.mkdir(exist_ok=True)
    store.with_suffix(".lock.json").write_text(json.dumps(words))


def forbid_locking(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("the lock was touched")

    monkeypatch.setattr(probing.filelock, "FileLock", refuse)


def test_nobody_writes_what_nobody_locked(store, monkeypatch):
    forbid_locking(monkeypatch)
    assert cache.find_holder(store) is None
    assert not store.parent.exists()


def test_who_holds_the_lock_is_named(store):
    with cache.lock_store(store):
        holder = cache.find_holder(store)
        assert (holder.pid, str(holder)) == (os.getpid(), f"process {os.getpid()}")
        assert cache.find_holder(store) == holder  # looking did not free it
    assert cache.find_holder(store) is None


def test_a_killed_process_holds_nothing_and_its_lock_is_not_touched(store, monkeypatch):
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    introduce(store, pid=int(done.stdout))
    store.with_suffix(".lock").touch()
    forbid_locking(monkeypatch)
    assert cache.find_holder(store) is None


def test_another_process_with_the_number_of_a_killed_one_holds_nothing(store):
    introduce(store)
    store.with_suffix(".lock").touch()
    assert cache.find_holder(store) is None


def test_a_process_of_another_machine_is_believed_if_the_lock_is_held(store):
    introduce(store, host="elsewhere", pid=7)
    with filelock.FileLock(store.with_suffix(".lock")):
        assert str(cache.find_holder(store)) == "process 7 on elsewhere"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x"}', "\0"])
def test_a_note_that_says_nothing_is_nobodys(store, text):
    introduce(store)
    store.with_suffix(".lock.json").write_text(text)
    assert cache.find_holder(store) is None

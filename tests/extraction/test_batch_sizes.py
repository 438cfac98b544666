import errno
import json
import subprocess
import sys

import filelock
import pytest

from pipeline import cache, durable
from pipeline.errors import CacheNotFoundError
from pipeline.extraction import batch_sizes
from pipeline.extraction.batch_sizes import FILE, recall, remember
from pipeline.stages.clean import clean_cache
from pipeline.stages.stores import list_cache
from tests.made_stores import make_store

RUN = {"network": "vgg16@150", "engine": "keras", "device": "gpu:0", "precision": "float32"}
LOCK = f".{FILE}.lock"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_worked_is_recalled(tmp_path):
    assert recall(tmp_path, **RUN) is None
    remember(tmp_path, 64, **RUN)
    assert recall(tmp_path, **RUN) == 64
    remember(tmp_path, 32, **RUN)
    assert recall(tmp_path, **RUN) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"network": "vgg16@224"},
        {"engine": "openvino"},
        {"device": "gpu:1"},
        {"precision": "bfloat16"},
    ],
    ids=str,
)
def test_another_run_has_a_size_of_its_own(tmp_path, change):
    remember(tmp_path, 64, **RUN)
    assert recall(tmp_path, **RUN | change) is None
    remember(tmp_path, 8, **RUN | change)
    assert (recall(tmp_path, **RUN), recall(tmp_path, **RUN | change)) == (64, 8)


@pytest.mark.parametrize(
    ("where", "value"),
    [("platform.node", "other"), ("count_cores", 3), ("count_memory", 2**40)],
)
def test_another_machine_on_the_same_disk_has_sizes_of_its_own(tmp_path, monkeypatch, where, value):
    remember(tmp_path, 64, **RUN)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(f"pipeline.extraction.batch_sizes.{where}", lambda: value)
        assert recall(tmp_path, **RUN) is None
        remember(tmp_path, 8, **RUN)
        assert recall(tmp_path, **RUN) == 8
    assert recall(tmp_path, **RUN) == 64


def test_the_file_can_be_read_by_people(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_sizes.platform, "node", lambda: "bench")
    monkeypatch.setattr(batch_sizes, "count_cores", lambda: 2)
    monkeypatch.setattr(batch_sizes, "count_memory", lambda: 8 * 2**30 - 12345)
    remember(tmp_path, 64, **RUN)
    remember(tmp_path, 128, **RUN | {"network": "digits-net@8", "device": "cpu"})
    assert (tmp_path / FILE).read_text(encoding="ascii") == (
        "{\n"
        ' "bench, 2 cores, 8 GiB": {\n'
        '  "digits-net@8, keras on cpu, float32": 128,\n'
        '  "vgg16@150, keras on gpu:0, float32": 64\n'
        " }\n"
        "}\n"
    )
    monkeypatch.setattr(batch_sizes, "count_memory", lambda: None)
    remember(tmp_path, 64, **RUN)
    assert "bench, 2 cores, unknown memory" in json.loads((tmp_path / FILE).read_bytes())


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"{", b"[" * 100_000, b"[1]", b"7", b'{"a": 3}', b'{"a": {"b": "c"}}'],
    ids=lambda content: repr(content[:20]),
)
def test_a_damaged_or_foreign_file_counts_as_empty(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    assert recall(tmp_path, **RUN) is None
    remember(tmp_path, 64, **RUN)
    assert recall(tmp_path, **RUN) == 64


@pytest.mark.parametrize("size", [0, -1, True, 3.5, "8", None, [8]])
def test_what_is_no_size_is_not_recalled_and_does_not_stay(tmp_path, size):
    remember(tmp_path, 64, **RUN)
    remember(tmp_path, 16, **RUN | {"device": "cpu"})
    sizes = json.loads((tmp_path / FILE).read_bytes())
    ((machine, entries),) = sizes.items()
    wrong = next(entry for entry in entries if "gpu:0" in entry)
    (tmp_path / FILE).write_text(json.dumps({machine: entries | {wrong: size}}))
    assert recall(tmp_path, **RUN) is None
    remember(tmp_path, 4, **RUN | {"device": "gpu:1"})
    left = json.loads((tmp_path / FILE).read_bytes())[machine]
    assert sorted(left.values()) == [4, 16]


def test_nothing_is_written_if_nothing_changes(tmp_path, monkeypatch):
    remember(tmp_path, 64, **RUN)
    steps = []
    monkeypatch.setattr(durable, "step", lambda *step: steps.append(step))
    remember(tmp_path, 64, **RUN)
    assert steps == []
    remember(tmp_path, 32, **RUN)
    assert [action for action, _ in steps] == ["write", "rename", "sync"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("action", ["write", "rename", "sync"])
def test_a_disk_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, code, action):
    remember(tmp_path, 64, **RUN)
    tried = []

    def fail(wanted, path):
        if wanted == action:
            tried.append(path)
            raise OSError(code, "no")

    monkeypatch.setattr(durable, "step", fail)
    remember(tmp_path, 32, **RUN)
    assert tried
    assert recall(tmp_path, **RUN) == (32 if action == "sync" else 64)
    assert names(tmp_path) == [LOCK, FILE]


@pytest.mark.parametrize("problem", [PermissionError(errno.EACCES, "no"), NotImplementedError()])
def test_a_folder_that_has_no_locks_is_done_without(tmp_path, monkeypatch, problem):
    def fail(*args, **kwargs):
        raise problem

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    remember(tmp_path, 64, **RUN)
    assert recall(tmp_path, **RUN) is None


def test_a_lock_that_is_never_freed_is_not_waited_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_sizes, "LOCK_SECONDS", 0.01)
    with filelock.FileLock(tmp_path / LOCK, is_singleton=False):
        remember(tmp_path, 64, **RUN)
    assert recall(tmp_path, **RUN) is None
    assert names(tmp_path) == [LOCK]


def test_something_else_under_the_name_stays(tmp_path):
    (tmp_path / FILE / "mine").mkdir(parents=True)
    assert recall(tmp_path, **RUN) is None
    remember(tmp_path, 64, **RUN)
    assert names(tmp_path) == [LOCK, FILE]
    assert (tmp_path / FILE / "mine").is_dir()


def test_a_cache_that_was_deleted_is_not_made_again(tmp_path):
    remember(tmp_path / "gone", 64, **RUN)
    assert recall(tmp_path / "gone", **RUN) is None
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    left = durable.partial_path(tmp_path / FILE)
    left.write_text("{")
    mine = tmp_path / ".mine.01234567.partial"
    mine.touch()
    remember(tmp_path, 64, **RUN)
    assert names(tmp_path) == [LOCK, mine.name, FILE]


def test_processes_that_note_at_once_lose_nothing(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pipeline.extraction.batch_sizes import remember\n"
        f"run, folder, first = {RUN!r}, Path(sys.argv[1]), int(sys.argv[2])\n"
        "for k in range(first, first + 30):\n"
        "    remember(folder, 1 + k, **run | {'network': f'net@{k}'})\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen([*words, str(first)]) for first in (0, 30, 60)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    found = [recall(tmp_path, **RUN | {"network": f"net@{k}"}) for k in range(90)]
    assert found == list(range(1, 91))


def test_the_cache_commands_pass_the_file_over(tmp_path):
    remember(tmp_path, 64, **RUN)
    durable.partial_path(tmp_path / FILE).touch()
    assert cache.list_stores(tmp_path) == []
    with pytest.raises(CacheNotFoundError, match="No finished extraction"):
        cache.find_store(tmp_path)
    assert list_cache(tmp_path) == []
    store = make_store(tmp_path)
    before = names(tmp_path)
    assert [entry.path for entry in list_cache(tmp_path)] == [store]
    assert cache.find_store(tmp_path) == store
    cleaning = clean_cache(tmp_path, superseded=True)
    assert (cleaning.removed, cleaning.kept) == ([], [])
    assert names(tmp_path) == before
    assert recall(tmp_path, **RUN) == 64

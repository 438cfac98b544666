import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline import durable
from pipeline.datasets import forget_hashes, hash_index, hashing, load_manifest
from pipeline.datasets.hash_index import (
    EMPTY,
    HashIndex,
    hash_changed_files,
    index_path,
    read_index,
)
from pipeline.datasets.hashing import SETTLING_NS, hash_files, identify_files
from pipeline.errors import CacheError

NAMES = ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg")
DAY_NS = 86_400 * 10**9


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The names of the files that are opened to be hashed, in any order."""
    names: list[str] = []

    def spy(path, *args, **options):
        names.append("/".join(Path(path).parts[-2:]))
        return open(path, *args, **options)  # noqa: PTH123

    monkeypatch.setattr(hashing, "open", spy, raising=False)
    return names


@pytest.fixture
def tomorrow(monkeypatch) -> None:
    """All files were last changed a day ago."""
    monkeypatch.setattr(hashing, "time_ns", lambda: time.time_ns() + DAY_NS)


@pytest.fixture
def load(cache_dir, tmp_path):
    """Load the manifest of a folder with the index on."""

    def load_with_index(root: Path, **options):
        options = {"cache_dir": cache_dir, "data_dir": tmp_path / "data"} | options
        return load_manifest(str(root), **options)

    return load_with_index


def find_index(cache_dir: Path, root: Path) -> Path:
    return index_path(cache_dir, root.name, root)


def edit_in_place(path: Path, content: bytes) -> None:
    """Write other bytes of the same length, put the mtime back, keep the inode."""
    before = path.stat()
    assert len(content) == before.st_size
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the clock has ticked
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def add(root: Path) -> None:
    (root / "cat/3.jpg").write_bytes(b"new")


def remove(root: Path) -> None:
    (root / "cat/1.jpg").unlink()


def rename(root: Path) -> None:
    (root / "cat/1.jpg").rename(root / "cat/9.jpg")


def edit(root: Path) -> None:
    edit_in_place(root / "cat/1.jpg", b"cat/X.jpg")


def replace_by_another_file(root: Path) -> None:
    target, other = root / "cat/1.jpg", root / "other"
    other.write_bytes(b"cat/X.jpg")
    os.utime(other, ns=(target.stat().st_atime_ns, target.stat().st_mtime_ns))
    other.replace(target)


def swap_two(root: Path) -> None:
    (root / "cat/1.jpg").rename(root / "swap")
    (root / "cat/2.jpg").rename(root / "cat/1.jpg")
    (root / "swap").rename(root / "cat/2.jpg")


@pytest.mark.parametrize("change", [add, remove, rename, edit, replace_by_another_file, swap_two])
def test_fault_29_a_changed_image_changes_the_digest(change, write_files, load, tomorrow):
    root = write_files(*NAMES)
    for path in root.rglob("*.jpg"):
        os.utime(path, ns=(10**18, 10**18))  # all alike: the mtime tells nothing
    before = load(root)
    assert load(root).digest == before.digest
    change(root)
    after = load(root)
    assert after.digest != before.digest
    assert after.digest == load(root, cache_dir=None).digest
    assert load(root).digest == after.digest


def test_fault_35_the_order_the_index_was_written_in_does_not_matter(
    write_files, load, tomorrow, opened, monkeypatch
):
    root = write_files(*NAMES)
    scandir = os.scandir
    expected = load(root, cache_dir=None).digest

    class Backwards(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    def scan_backwards(folder):
        with scandir(folder) as entries:
            return Backwards(sorted(entries, key=lambda entry: entry.name, reverse=True))

    monkeypatch.setattr(os, "scandir", scan_backwards)
    assert load(root).digest == expected
    monkeypatch.setattr(os, "scandir", scandir)
    opened.clear()
    assert load(root).digest == expected
    assert opened == []


def test_unchanged_files_are_not_opened_again(write_files, load, tomorrow, opened):
    root = write_files(*NAMES)
    first = load(root)
    assert sorted(opened) == list(NAMES)
    opened.clear()
    second = load(root)
    assert opened == []
    assert second.digest == first.digest
    assert second.size.tolist() == [len(name) for name in NAMES]
    assert second.size.dtype == np.int64
    contents = [hashlib.sha256(name.encode()).digest() for name in NAMES]
    assert [row.tobytes() for row in second.sha256] == contents


def test_only_the_changed_file_is_opened(write_files, load, tomorrow, opened):
    root = write_files(*NAMES)
    load(root)
    opened.clear()
    edit(root)
    load(root)
    assert opened == ["cat/1.jpg"]


def test_without_a_cache_every_file_is_hashed_and_nothing_written(
    write_files, load, tomorrow, opened, tmp_path
):
    root = write_files(*NAMES)
    everything = sorted(tmp_path.rglob("*"))
    load(root, cache_dir=None)
    load(root, cache_dir=None)
    assert len(opened) == 2 * len(NAMES)
    assert sorted(tmp_path.rglob("*")) == everything


def test_a_cache_that_does_not_exist_yet_is_made(write_files, load, tomorrow, opened, tmp_path):
    root = write_files(*NAMES)
    for _ in range(2):
        load(root, cache_dir=tmp_path / "new")
    assert len(opened) == len(NAMES)


def test_a_file_in_place_of_the_folder_is_no_error(write_files, load, tomorrow, cache_dir):
    root = write_files(*NAMES)
    (cache_dir / root.name).write_bytes(b"in the way")
    assert len(load(root)) == len(load(root)) == len(NAMES)
    forget_hashes(load(root), cache_dir=cache_dir)
    assert (cache_dir / root.name).read_bytes() == b"in the way"


def test_a_cache_that_cannot_be_written_is_still_read(
    write_files, load, tomorrow, opened, cache_dir, monkeypatch
):
    root = write_files(*NAMES)
    load(root)
    content = find_index(cache_dir, root).read_bytes()

    def refuse(action, path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(durable, "step", refuse)
    edit(root)
    opened.clear()
    digests = {load(root).digest for _ in range(2)}
    assert opened == ["cat/1.jpg"] * 2
    assert digests == {load(root, cache_dir=None).digest}
    assert find_index(cache_dir, root).read_bytes() == content


def test_there_is_no_index_where_ctime_is_the_time_of_creation(
    write_files, load, opened, tomorrow, cache_dir, monkeypatch
):
    monkeypatch.setattr(hash_index, "IS_SUPPORTED", False)
    root = write_files(*NAMES)
    load(root)
    load(root)
    assert len(opened) == 2 * len(NAMES)
    assert list(cache_dir.iterdir()) == []


def test_a_file_changed_just_before_it_was_hashed_is_hashed_again(
    write_files, load, opened, cache_dir, monkeypatch
):
    now = time.time_ns()
    monkeypatch.setattr(hashing, "time_ns", lambda: now)
    root = write_files(*NAMES)
    load(root)
    assert list(cache_dir.iterdir()) == []  # nothing was worth keeping
    load(root)
    assert len(opened) == 2 * len(NAMES)


@pytest.mark.parametrize(("waited", "settled"), [(SETTLING_NS, False), (SETTLING_NS + 1, True)])
def test_a_hash_is_kept_two_seconds_after_the_last_change(
    waited, settled, write_files, monkeypatch
):
    root = write_files("1.jpg")
    os.utime(root / "1.jpg", (0, 0))
    changed = (root / "1.jpg").stat().st_ctime_ns
    monkeypatch.setattr(hashing, "time_ns", lambda: changed + waited)
    assert hash_files(root, ["1.jpg"]).settled.tolist() == [settled]


def test_a_file_from_the_future_is_hashed_each_time(write_files, tomorrow):
    root = write_files("1.jpg")
    future = time.time_ns() + 2 * DAY_NS
    os.utime(root / "1.jpg", ns=(future, future))
    assert hash_files(root, ["1.jpg"]).settled.tolist() == [False]


def test_the_waiting_time_counts_from_before_the_file_is_read(write_files, monkeypatch):
    """A large file takes longer than two seconds to read, and can change at the start of it."""
    root = write_files("1.jpg")
    clock = iter([time.time_ns(), time.time_ns() + DAY_NS])
    monkeypatch.setattr(hashing, "time_ns", lambda: next(clock))
    assert hash_files(root, ["1.jpg"]).settled.tolist() == [False]


def test_a_file_edited_while_it_is_read_is_hashed_again(write_files, tomorrow, monkeypatch):
    root = write_files("1.jpg", "2.jpg")
    fstat, n_calls = os.fstat, 0

    def edit_after_first_stat(descriptor):
        nonlocal n_calls
        found = fstat(descriptor)
        if n_calls == 0:
            edit_in_place(root / "1.jpg", b"X.jpg")
        n_calls += 1
        return found

    monkeypatch.setattr(os, "fstat", edit_after_first_stat)
    hashes = hash_files(root, ["1.jpg", "2.jpg"])
    assert hashes.settled.tolist() == [False, True]
    assert hashes.sha256[0].tobytes() == hashlib.sha256(b"X.jpg").digest()


@pytest.mark.skipif(not Path("/proc/version").is_file(), reason="needs /proc")
def test_a_file_whose_size_is_not_what_stat_says_is_hashed_each_time(tomorrow):
    hashes = hash_files(Path("/proc"), ["version"])
    assert hashes.sha256.any()
    assert hashes.settled.tolist() == [False]


def test_what_cannot_be_read_is_not_kept(write_files, cache_dir, tomorrow):
    root = write_files("1.jpg", "folder.jpg/x")
    os.mkfifo(root / "pipe.jpg")
    paths = ["1.jpg", "folder.jpg", "gone.jpg", "pipe.jpg"]
    for _ in range(2):
        size, sha256 = hash_changed_files(root, paths, cache_dir=cache_dir, name=root.name)
        assert size.tolist() == [5, 0, 0, 0]
        assert sha256.any(axis=1).tolist() == [True, False, False, False]
    assert read_index(find_index(cache_dir, root), root).paths == ("1.jpg",)


def test_a_file_that_comes_back_is_hashed(write_files, load, tomorrow):
    root = write_files(*NAMES)
    load(root)
    (root / "cat/1.jpg").unlink()
    load(root)
    (root / "cat/1.jpg").write_bytes(b"another")
    assert load(root).digest == load(root, cache_dir=None).digest


def test_any_name_but_nul(write_files, load, tomorrow, opened):
    names = [os.fsdecode(b"a/\xe9\xff.jpg"), "a/x\ny.jpg", 'a/=1,".jpg', "a/ä ☃.jpg"]
    root = write_files(*names)
    first = load(root)
    opened.clear()
    assert load(root).digest == first.digest
    assert opened == []


def test_times_out_of_the_ordinary(write_files, load, tomorrow, opened):
    root = write_files(*NAMES)
    os.utime(root / "cat/1.jpg", ns=(0, -(10**18)))
    os.utime(root / "cat/2.jpg", ns=(0, 0))
    first = load(root)
    opened.clear()
    assert load(root).digest == first.digest
    assert opened == []


def test_the_index_is_written_only_when_something_changed(
    write_files, load, tomorrow, cache_dir, monkeypatch
):
    root = write_files(*NAMES)
    load(root)
    written: list[str] = []
    monkeypatch.setattr(durable, "write_file", lambda path, data: written.append(path.name))
    load(root)
    load(root, limit=2)
    assert written == []
    edit(root)
    load(root)
    assert written == [find_index(cache_dir, root).name]


def test_a_limited_run_keeps_what_is_known_of_the_others(write_files, load, tomorrow, opened):
    root = write_files(*NAMES)
    load(root)
    edit_in_place(root / "cat/1.jpg", b"cat/X.jpg")
    load(root, limit=2)  # rewrites the index
    opened.clear()
    load(root)
    assert opened == []


def test_the_index_does_not_keep_what_is_gone_or_changed(write_files, load, tomorrow, cache_dir):
    root = write_files(*NAMES, "cat/3.jpg", "dog/3.jpg")
    load(root)
    (root / "dog/1.jpg").unlink()
    edit_in_place(root / "dog/3.jpg", b"dog/X.jpg")
    edit_in_place(root / "cat/1.jpg", b"cat/X.jpg")
    limited = load(root, limit=2)
    assert limited.paths == ("cat/1.jpg", "dog/2.jpg")
    kept = read_index(find_index(cache_dir, root), root).paths
    assert sorted(kept) == ["cat/1.jpg", "cat/2.jpg", "cat/3.jpg", "dog/2.jpg"]


def test_two_roots_of_one_name_have_an_index_each(write_files, load, tomorrow, opened, cache_dir):
    roots = [write_files(*NAMES, under=f"{place}/pets") for place in "ab"]
    for root in roots:
        load(root)
    opened.clear()
    for root in roots:
        load(root)
    assert opened == []
    assert len(list((cache_dir / "pets").iterdir())) == 2


def test_the_index_of_another_root_is_ignored(write_files, load, tomorrow, opened, cache_dir):
    one, other = (write_files(*NAMES, under=f"{place}/pets") for place in "ab")
    load(one)
    find_index(cache_dir, one).rename(find_index(cache_dir, other))
    opened.clear()
    load(other)
    assert len(opened) == len(NAMES)
    assert read_index(find_index(cache_dir, other), other).paths == NAMES


def test_an_index_says_which_root_it_is_of(write_files, load, tomorrow, cache_dir):
    root = write_files(*NAMES)
    load(root)
    file = find_index(cache_dir, root)
    assert read_index(file, root).paths == NAMES
    assert read_index(file, root.parent) is EMPTY


def test_an_index_with_fewer_names_than_hashes_is_ignored(write_files, cache_dir):
    root = write_files("1.jpg")
    name = os.fsencode(root) + b"\0"
    file = find_index(cache_dir, root)
    file.parent.mkdir()
    file.write_bytes(seal(np.array([1, len(name)], "<u8").tobytes() + name + bytes(72)))
    assert read_index(file, root) is EMPTY


def test_a_file_is_identified_by_size_times_inode_and_device(write_files):
    root = write_files("1.jpg")
    os.utime(root / "1.jpg", ns=(1, 2))
    found = (root / "1.jpg").stat()
    expected = [5, 2, found.st_ctime_ns, found.st_ino, found.st_dev]
    assert identify_files(root, ["1.jpg", "gone.jpg"]).tolist() == [expected, [0] * 5]


@pytest.mark.parametrize("number", range(5))
def test_any_other_number_makes_another_file(number):
    identity = np.arange(10, dtype=np.uint64).reshape(2, 5)
    index = HashIndex(("a", "b"), identity, np.zeros((2, 32), np.uint8))
    asked = identity[[1, 0, 0]].copy()
    assert index.find(["b", "c", "a"], asked).tolist() == [1, -1, 0]
    asked[0, number] ^= 1 << 63
    assert index.find(["b", "c", "a"], asked).tolist() == [-1, -1, 0]


def seal(body: bytes) -> bytes:
    return hash_index._MAGIC + hashlib.sha256(body).digest() + body


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_flipped_bit_is_noticed(write_files, load, tomorrow, cache_dir):
    root = write_files("cat/1.jpg")
    load(root)
    file = find_index(cache_dir, root)
    data = file.read_bytes()
    assert read_index(file, root).paths == ("cat/1.jpg",)
    believed = []
    for bit in range(8 * len(data)):
        file.write_bytes(flip(data, bit))
        if read_index(file, root) is not EMPTY:
            believed.append(bit)
    assert believed == []


def test_every_truncation_is_noticed(write_files, load, tomorrow, cache_dir):
    root = write_files("cat/1.jpg")
    load(root)
    file = find_index(cache_dir, root)
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        assert read_index(file, root) is EMPTY
    file.write_bytes(data + b"\0")
    assert read_index(file, root) is EMPTY


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"PK\3\4" + data,
        lambda data: data.replace(b"version 1", b"version 0"),
        lambda data: data[:-1],
        lambda data: flip(data, 8 * len(data) - 1),
        lambda data: seal(b""),
        lambda data: seal(bytes(16)),
        lambda data: seal(bytes(15)),
        lambda data: seal(b"\xff" * 200),
    ],
    ids=["empty", "foreign", "older", "cut", "flipped", "bare", "no root", "short", "wild"],
)
def test_a_damaged_index_is_ignored_and_rewritten(
    damage, write_files, load, tomorrow, opened, cache_dir
):
    root = write_files(*NAMES)
    expected = load(root).digest
    file = find_index(cache_dir, root)
    data = file.read_bytes()
    file.write_bytes(damage(data))
    opened.clear()
    assert load(root).digest == expected
    assert sorted(opened) == list(NAMES)
    assert file.read_bytes() == data


def test_a_folder_in_place_of_the_index_is_no_error(write_files, load, tomorrow, cache_dir):
    root = write_files(*NAMES)
    (find_index(cache_dir, root) / "mine").mkdir(parents=True)
    manifest = load(root)
    assert manifest.digest == load(root, cache_dir=None).digest
    forget_hashes(manifest, cache_dir=cache_dir)
    assert (find_index(cache_dir, root) / "mine").is_dir()


def test_forgotten_hashes_are_computed_again(write_files, load, tomorrow, opened, cache_dir):
    root = write_files(*NAMES)
    manifest = load(root)
    file = find_index(cache_dir, root)
    data = file.read_bytes()
    lie = HashIndex(NAMES, identify_files(root, NAMES), np.zeros((4, 32), np.uint8))
    file.write_bytes(hash_index._pack(lie, root))
    assert load(root).digest != manifest.digest
    forget_hashes(manifest, cache_dir=cache_dir)
    forget_hashes(manifest, cache_dir=cache_dir)  # there is none any more: no error
    assert load(root).digest == manifest.digest
    assert file.read_bytes() == data


def test_hashes_that_cannot_be_forgotten_are_named(
    write_files, load, tomorrow, cache_dir, monkeypatch
):
    root = write_files(*NAMES)
    manifest = load(root)

    def refuse(action, path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(durable, "step", refuse)
    with pytest.raises(CacheError, match=r"Cannot delete .*\.hashes-.*Permission denied"):
        forget_hashes(manifest, cache_dir=cache_dir)


def test_progress_counts_known_files_and_ends_at_the_total(write_files, load, tomorrow):
    root = write_files(*NAMES)
    calls: list[tuple[int, int]] = []

    def count() -> list[tuple[int, int]]:
        calls.clear()
        load(root, on_progress=lambda done, total: calls.append((done, total)))
        return list(calls)

    assert count() == [(4, 4)]
    assert count() == [(4, 4)]
    edit(root)
    assert count() == [(3, 4), (4, 4)]


WRITER = """
import sys
from pathlib import Path
from pipeline.datasets import hashing
from pipeline.datasets.hash_index import hash_changed_files, index_path
hashing.SETTLING_NS = -(10**18)
root, cache_dir, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
file = index_path(cache_dir, "set", root)
for _ in range(100):
    hash_changed_files(root, names, cache_dir=cache_dir, name="set")
    file.unlink(missing_ok=True)
"""


def test_two_writers_at_once_never_leave_a_torn_index(write_files, cache_dir):
    root = write_files(*NAMES)
    command = [sys.executable, "-c", WRITER, str(root), str(cache_dir)]
    writers = [subprocess.Popen([*command, *names]) for names in (NAMES, NAMES[:2])]
    file = find_index(cache_dir, root)
    torn = 0
    while any(writer.poll() is None for writer in writers):
        try:
            data = file.read_bytes()
        except OSError:
            continue
        try:
            hash_index._unpack(data, root)
        except ValueError:
            torn += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert torn == 0

"""Run something in a child process that is killed before a chosen durable step, or loses power."""

import os
import pickle
import shutil
import signal
import stat
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import durable
from pipeline.errors import CacheError

# Who holds or held the lock, time stamps of files, how long runs took: other content every time.
NOT_COMPARED = (".lock", ".lock.json", ".bin", ".runs.jsonl")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, apart from the lock's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(NOT_COMPARED)
    }


def count_steps(run: Callable[[], object]) -> list[tuple[str, Path]]:
    """Return the durable steps of an undisturbed run, in order."""
    seen, real = [], durable.step
    durable.step = lambda action, path: seen.append((action, path))
    try:
        run()
    finally:
        durable.step = real
    return seen


@dataclass
class Disk:
    """What is on the disk for sure: files as they were flushed, folders as they were flushed.

    A name that was made or renamed after its folder was flushed is not there after a power cut, and
    a file of which nothing was flushed is empty. This is the worst that POSIX allows.
    """

    files: dict[int, bytes] = field(default_factory=dict)
    folders: dict[int, dict[str, int]] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)

    @classmethod
    def holding(cls, root: Path) -> "Disk":
        """Return a disk on which all that is below `root` has been for long."""
        disk = cls()
        for path in (root, *root.rglob("*")):
            descriptor = os.open(path, os.O_RDONLY)
            disk.flush(descriptor)
            os.close(descriptor)
        return disk

    def __getstate__(self) -> dict[str, object]:
        return {"files": self.files, "folders": self.folders, "held": []}

    def flush(self, descriptor: int) -> None:
        """Take note of one fsync."""
        self.held.append(os.dup(descriptor))  # so that no number of a file is used twice
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            self.folders[about.st_ino] = {
                entry.name: (-1 if entry.is_dir() else 1) * entry.inode()
                for entry in os.scandir(descriptor)
            }
        else:
            with Path(f"/proc/self/fd/{descriptor}").open("rb") as file:
                self.files[about.st_ino] = file.read()

    def restore(self, root: Path, into: Path) -> None:
        """Make `into` what a machine finds of `root` when the power is back."""
        into.mkdir(parents=True)
        self._restore(root.stat().st_ino, into)

    def _restore(self, inode: int, into: Path) -> None:
        for name, entry in self.folders.get(inode, {}).items():
            if entry < 0:
                (into / name).mkdir()
                self._restore(-entry, into / name)
            else:
                (into / name).write_bytes(self.files.get(entry, b""))


def kill_at(step: int, run: Callable[[], object], root: Path, disk: Disk | None = None) -> Disk:
    """Run in a child process that gets a SIGKILL before its durable step number `step`, from 0.

    Parameters
    ----------
    step : int
        -1 lets it come to its end.
    run : callable
    root : Path
    disk : Disk, optional
        What is on the disk of `root` for sure before; all that is there if it is not given.

    Returns
    -------
    Disk
        What is on the disk of `root` for sure afterwards.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _run_and_die(step, run, disk or Disk.holding(root), writer)
        except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as pytest
            traceback.print_exc()
        os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        left = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the run came to its end, or failed by itself"
    assert os.WTERMSIG(status) == signal.SIGKILL
    return pickle.loads(left)


def _run_and_die(step: int, run: Callable[[], object], disk: Disk, pipe: int) -> None:
    n_steps = 0

    def die() -> None:
        with os.fdopen(pipe, "wb") as file:
            file.write(pickle.dumps(disk))
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(action: str, path: Path) -> None:
        nonlocal n_steps
        if n_steps == step:
            die()
        n_steps += 1

    # The real one only costs time here: what the kernel holds outlasts the process.
    durable.step, os.fsync = watch, disk.flush
    run()
    if step < 0:
        die()


def lose_power(disk: Disk, root: Path) -> None:
    """Put in the place of `root` what would be left of it after a power cut at the kill."""
    left = root.with_name(root.name + ".left")
    disk.restore(root, left)
    shutil.rmtree(root)
    left.rename(root)


def fail_at(step: int, error: int, run: Callable[[], object]) -> str:
    """Run in this process; the durable step number `step` fails with an errno.

    Returns
    -------
    str
        What the user is told; nothing if it went well all the same.
    """
    n_steps, real = 0, durable.step

    def fail(action: str, path: Path) -> None:
        nonlocal n_steps
        n_steps += 1
        if n_steps == step + 1:
            raise OSError(error, os.strerror(error), str(path))

    durable.step = fail
    try:
        run()
    except CacheError as exc:
        return str(exc)
    finally:
        durable.step = real
    return ""

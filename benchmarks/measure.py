"""Run contenders side by side and read what they took: time, processor time, memory. Linux only.

Imports nothing large, since a process begins with the peak memory of the one that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import IO, Any, Protocol

from processes import cpu_seconds, peak_mb

ROOT = Path(__file__).resolve().parents[1]


class ContenderError(Exception):
    """A contender could not be started or measured; the message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement: items done, seconds they took, processor seconds of all its processes.

    Our command adds the seconds of its whole process and its own ledger of what it waited for.
    """

    items: int
    seconds: float
    cpu_seconds: float
    whole_seconds: float | None = None
    ledger: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Row:
    """What became of one contender.

    Attributes
    ----------
    name, label : str
        For machines, and for people.
    samples : list of Sample
        One a round.
    startup_seconds : float or None
        From the start of the process to the end of its first batch; of our command, all that its
        ledger does not count as work.
    first_startup_seconds : float or None
        Of our command, that of the first run, which may have to convert the network.
    peak_mb : float or None
        Largest resident memory, 10⁶ bytes; of all its processes, added up.
    gflop : float or None
        10⁹ floating-point operations of one item.
    versions : mapping of str to str
    failed : str or None
        Why there are no figures.
    """

    name: str
    label: str
    samples: list[Sample] = field(default_factory=list)
    startup_seconds: float | None = None
    first_startup_seconds: float | None = None
    peak_mb: float | None = None
    gflop: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    failed: str | None = None

    @property
    def rate(self) -> float | None:
        """Items a second: the median of the rounds."""
        rates = self.rates
        return median(rates) if rates else None

    @property
    def rates(self) -> list[float]:
        """Items a second of each round."""
        return [sample.items / sample.seconds for sample in self.samples]

    @property
    def cpu_ms(self) -> float | None:
        """Processor time of one item in milliseconds: the median of the rounds."""
        times = [1000 * sample.cpu_seconds / sample.items for sample in self.samples]
        return median(times) if times else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**asdict(self), "rate": self.rate, "cpu_ms": self.cpu_ms}


class Contender(Protocol):
    """Something that can be measured again and again."""

    row: Row

    def start(self) -> None:
        """Get ready and warm; raise ContenderError where that cannot be done."""
        ...

    def measure(self) -> Sample:
        """Measure once; raise ContenderError where that fails."""
        ...

    def stop(self) -> None:
        """End it and note its memory; harmless if it never started."""
        ...


class Worker:
    """A process of `contending.main`, which stays and measures whenever it is told to."""

    def __init__(self, name: str, label: str, command: Sequence[str]) -> None:
        self.row = Row(name=name, label=label)
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it is warm."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        ready = self._read()
        self.row.startup_seconds = ready["startup_seconds"]
        self.row.gflop = ready["gflop"]
        self.row.versions = ready["versions"]

    def measure(self) -> Sample:
        """Let it measure once."""
        try:
            before = cpu_seconds(self._process.pid)
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            answer = self._read()
            spent = cpu_seconds(self._process.pid) - before
            self.row.peak_mb = peak_mb(self._process.pid)
        except OSError as exc:
            raise ContenderError(f"it died: {_last_words(self._log)}") from exc
        return Sample(items=answer["items"], seconds=answer["seconds"], cpu_seconds=spent)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            with suppress(OSError):  # what it was told last, if it is dead
                self._process.stdin.close()
            self._process.stdout.close()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self._log.close()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"failed": _last_words(self._log)}
        if "failed" in answer:
            raise ContenderError(answer["failed"])
        return answer


class Extraction:
    """Our whole command, run anew for each measurement, timed by its own ledger from its start on.

    The first run converts and keeps the network. A run of a few images after it gives what starting
    costs, which is subtracted from the processor time of the others.
    """

    _FEW = 16

    def __init__(
        self,
        name: str,
        label: str,
        flags: Sequence[str],
        *,
        n_photos: int,
        n_images: int | None,
        seconds: float,
    ) -> None:
        self.row = Row(name=name, label=label)
        self._command = [sys.executable, "-m", "pipeline", "extract", *flags]
        self._command += ["--overwrite", "--json", "--quiet"]
        self._n_photos = n_photos
        self._n_images = n_images
        self._seconds = seconds
        self._startup_cpu = 0.0

    def start(self) -> None:
        """Keep the network, see what starting costs and choose how many images are measured."""
        first, few = self._run(self._FEW), self._run(self._FEW)
        self.row.first_startup_seconds = first.whole_seconds - first.seconds
        self.row.startup_seconds = few.whole_seconds - few.seconds
        self._startup_cpu = few.cpu_seconds
        if self._n_images is None:
            some = self._run(min(self._n_photos, 8 * self._FEW))
            self._n_images = round(self._seconds * some.items / some.seconds)
        self._n_images = min(self._n_photos, max(2 * self._FEW, self._n_images))
        self.row.peak_mb = None  # converting is not what is measured

    def measure(self) -> Sample:
        """Extract once."""
        whole = self._run(self._n_images)
        beyond = whole.items / max(1, whole.items - self._FEW)
        spent = max(0.0, whole.cpu_seconds - self._startup_cpu) * beyond
        return replace(whole, cpu_seconds=spent)

    def stop(self) -> None:
        """Nothing is left running."""

    def _run(self, n_images: int) -> Sample:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
            command = [*self._command, "--limit", str(n_images)]
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=out, stderr=log, cwd=ROOT)
            _, status, usage = os.wait4(process.pid, 0)
            whole_seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise ContenderError(f"exit code {process.returncode}: {_last_words(log)}")
            out.seek(0)
            answer = json.load(out)
        peak = usage.ru_maxrss * 1024 / 1e6
        self.row.peak_mb = max(peak, self.row.peak_mb or 0.0)
        return Sample(
            items=answer["n_computed"],
            seconds=answer["ledger"]["total"] - answer["ledger"]["start"],
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            whole_seconds=whole_seconds,
            ledger=answer["ledger"],
        )


def run_rounds(contenders: Sequence[Contender], n_rounds: int) -> None:
    """Start all contenders, then measure them in turn, round after round.

    What fails is left out from then on, with its reason in its row.
    """
    try:
        running = [contender for contender in contenders if _start(contender)]
        for number in range(1, n_rounds + 1):
            for contender in list(running):
                try:
                    sample = contender.measure()
                except (ContenderError, OSError, ValueError, KeyError) as exc:
                    contender.row.failed = str(exc)
                    running.remove(contender)
                    continue
                contender.row.samples.append(sample)
                speed = sample.items / sample.seconds
                say(f"  round {number}  {contender.row.label}: {speed:.1f} a second")
    finally:
        for contender in contenders:
            contender.stop()


def _start(contender: Contender) -> bool:
    say(f"  starting {contender.row.label}")
    try:
        contender.start()
    except (ContenderError, OSError, ValueError, KeyError) as exc:
        contender.row.failed = str(exc)
        say(f"    not measured: {exc}")
        return False
    return True


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(text, file=sys.stderr, flush=True)


def _last_words(log: IO[bytes]) -> str:
    """Return the last line that a process wrote to stderr."""
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

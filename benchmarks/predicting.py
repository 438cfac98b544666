"""How fast does `pipeline predict` name photos, beside `extract`, and how soon is the first there?

Both are started as commands on the same photos, one after the other, several rounds; the median
counts. `extract` fills a new store each time, in a cache that has the network converted already;
`predict` answers by a fit on such a store, and writes CSV. "End to end" is the whole command with
its start. Photos should be in the disk's cache: a first, uncounted `extract` reads them all.

    python benchmarks/predicting.py FOLDER

FOLDER is a data set as `extract --dataset` takes it, with at least two classes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from measure import ROOT
from processes import peak_mb
from reports import begin_report, write_report


def main() -> None:
    """Measure, print and write."""
    arguments = parse_arguments()
    report = begin_report()
    with tempfile.TemporaryDirectory(prefix="predicting-") as name:
        rows = measure(Path(name), arguments)
    n_images = rows["n_images"]
    extracted, predicted = median(rows["extract"]), median(rows["predict"])
    print(f"{n_images:,} photos, {arguments.rounds} rounds; {' '.join(arguments.extra)}\n")
    print("| | seconds | images/s | × extract |\n| --- | ---: | ---: | ---: |")
    for what, seconds in (("`extract`", extracted), ("`predict --to a.csv`", predicted)):
        rate = f"{n_images / seconds:.1f} | {extracted / seconds:.2f}"
        print(f"| {what}, end to end | {seconds:.1f} | {rate} |")
    print(f"| `predict` of one photo, end to end | {median(rows['one']):.2f} | | |")
    print(f"| `predict --format csv`, first answers | {median(rows['first']):.2f} | | |")
    print(f"\npeak of predict: {max(rows['peak_mb']):,.0f} MB")
    report["rows"] = rows
    write_report(report, arguments.json)


def parse_arguments() -> argparse.Namespace:
    """Read the command line; what it does not know goes to extract."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments, extra = parser.parse_known_args()
    arguments.extra = extra
    return arguments


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the seconds of each round."""
    dataset, cache = arguments.dataset.resolve(), folder / "cache"
    words = ("extract", "--dataset", str(dataset), "--cache-dir", str(cache), *arguments.extra)
    store = Path(json.loads(run(*words, "--json"))["store"])
    fit = Path(json.loads(run("fit", str(store), "--no-html", "--json"))["folder"])
    kept = shutil.copytree(fit, folder / "fit")
    answering = ("predict", "--fit", str(kept), "--cache-dir", str(cache))
    found: dict[str, Any] = {name: [] for name in ("extract", "predict", "one", "first", "peak_mb")}
    for _ in range(arguments.rounds):
        for path in store.parent.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        seconds, _ = time_command(*words)
        found["extract"].append(seconds)
        seconds, peak = time_command(*answering, str(dataset), "--to", str(folder / "a.csv"))
        found["predict"].append(seconds)
        found["peak_mb"].append(peak)
        one = next(path for path in sorted(dataset.rglob("*")) if path.is_file())
        found["one"].append(time_command(*answering, str(one))[0])
        found["first"].append(time_first(*answering, str(dataset), "--format", "csv"))
    found["n_images"] = (folder / "a.csv").read_bytes().count(b"\r\n") - 1
    return found


def run(*words: str) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command(*words), check=True, capture_output=True, text=True).stdout


def time_command(*words: str) -> tuple[float, float]:
    """Return the seconds of a command, and its peak memory in 10⁶ bytes."""
    started, peak = time.perf_counter(), 0.0
    with subprocess.Popen(
        command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            peak = max(peak, peak_mb(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}: {' '.join(words)}")
    return time.perf_counter() - started, peak


def time_first(*words: str) -> float:
    """Return the seconds until the first answer is printed."""
    started = time.perf_counter()
    with subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        lines = iter(process.stdout or ())
        next(lines)  # the head
        next(lines)
        seconds = time.perf_counter() - started
        for _ in lines:
            pass
    return seconds


def command(*words: str) -> list[str]:
    """Return a command of ours as it is started."""
    os.environ["PYTHONPATH"] = str(ROOT)
    return [sys.executable, "-m", "pipeline", *words]


if __name__ == "__main__":
    main()

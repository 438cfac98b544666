"""Time and memory of `extract` against the number of images.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --data FOLDER --rounds 1 --json scaling.json

Each figure is the real command in a process of its own, with the network converted and kept before.
The sizes are run in turn, round after round, and ratios are taken within a round: on a shared
machine only those can be trusted. Seconds are counted by the command's own ledger, from the first
image on. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from measure import ROOT, Extraction, Row, Sample, run_rounds
from speed import describe_machine
from tables import _print_table as print_table
from tables import print_reasons

DATA = ROOT.parent / "shared" / "data" / "cifar10-sample"
EXTENSIONS = (".jpg", ".jpeg", ".png")
FEW, SOME = 2000, 3000
LITE0 = ("--model", "efficientnet-lite0", "--precision", "bfloat16")
VGG16 = (*("--model", "vgg16", "--image-size", "150"), "--pooling", "none", "--weights", "random")
VGG16_SIZES = (200, 1000)
MOST_SECONDS = 1.05  # times what as many more images should take
MOST_MEMORY = 1.1
MOST_WRITING = 0.05
VGG16_MB = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Something that should hold.

    Attributes
    ----------
    what : str
    values : list of float
        One a round, or one for all; their median counts.
    most : float or None
        What it may be; None for a figure that nothing is demanded of.
    form : str
        How a value is written.
    """

    what: str
    values: list[float]
    most: float | None
    form: str

    def to_cells(self) -> list[str]:
        """Return what is printed."""
        write = self.form.format
        return [
            self.what,
            write(median(self.values)),
            f"{write(min(self.values))}–{write(max(self.values))}",
            "" if self.most is None else write(self.most),
            "" if self.most is None else "yes" if median(self.values) <= self.most else "NO",
        ]


def main() -> None:
    """Measure, print and write."""
    arguments = parse_arguments()
    report: dict[str, Any] = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": describe_machine(),
        "load_before": os.getloadavg(),
    }
    print(f"{report['machine']['cpu']}, {report['machine']['cores']} cores\n`{report['command']}`")
    sizes = (FEW, SOME, arguments.n_photos)
    with tempfile.TemporaryDirectory(prefix="scaling-") as cache_dir:
        flags = ["--dataset", str(arguments.data), "--device", "cpu", "--cache-dir", cache_dir]
        lite0 = [open_extraction("Lite0, bfloat16", n, [*LITE0, *flags]) for n in sizes]
        vgg16 = [open_extraction("VGG16 at 150, flat", n, [*VGG16, *flags]) for n in VGG16_SIZES]
        run_rounds([*lite0, *vgg16], arguments.rounds)
    report["load_after"] = os.getloadavg()
    rows = [extraction.row for extraction in (*lite0, *vgg16)]
    print_rows(rows)
    demands = [
        *(judge_lite0(rows[:3], sizes) if not any(row.failed for row in rows[:3]) else []),
        *(judge_vgg16(rows[3:]) if not any(row.failed for row in rows[3:]) else []),
    ]
    head = ["demand, the median of the rounds counting", "found", "lowest–highest", "most", "holds"]
    print()
    print_table(head, [demand.to_cells() for demand in demands])
    report["rows"] = [row.to_dict() for row in rows]
    report["demands"] = [asdict(demand) for demand in demands]
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="a folder of class folders")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    arguments = parser.parse_args()
    photos = (path for path in arguments.data.rglob("*") if path.suffix.lower() in EXTENSIONS)
    arguments.n_photos = sum(path.is_file() for path in photos)
    if arguments.n_photos <= SOME:
        parser.error(
            f"{arguments.data} holds {arguments.n_photos:,} images: give --data a folder of more"
            f" than {SOME:,}, since {FEW:,}, {SOME:,} and all of them are compared."
        )
    if arguments.rounds < 1:
        parser.error("--rounds must be greater than 0.")
    arguments.data = arguments.data.resolve()
    return arguments


def open_extraction(label: str, n_images: int, flags: Sequence[str]) -> Extraction:
    """Return the command that extracts the first so many images."""
    name = f"{label}, {n_images:,} images"
    return Extraction(name, name, flags, n_photos=n_images, n_images=n_images, seconds=0)


def judge_lite0(rows: Sequence[Row], sizes: Sequence[int]) -> list[Demand]:
    """Return whether time grows with the images, memory does not, and writing is hidden."""
    few, some, everything = rows
    times = f"{sizes[2]:,} ÷ {sizes[1]:,} images"
    linear = sizes[2] / sizes[1]
    seconds = [
        a.seconds / b.seconds for a, b in zip(everything.samples, some.samples, strict=True)
    ]
    memory = [everything.peak_mb / few.peak_mb]
    of_all = f"{sizes[2]:,} images"
    return [
        Demand(
            what=f"seconds, {times}", values=seconds, most=MOST_SECONDS * linear, form="{:.2f}"
        ),
        Demand(
            what=f"peak memory, {sizes[2]:,} ÷ {sizes[0]:,} images",
            values=memory,
            most=MOST_MEMORY,
            form="{:.3f}",
        ),
        Demand(
            what=f"hashing and writing, waited for, {of_all}",
            values=share(everything.samples, "hashing", "writing"),
            most=MOST_WRITING,
            form="{:.1%}",
        ),
        Demand(
            what=f"hashing and writing, work in the background, {of_all}",
            values=share(everything.samples, "work_hashing", "work_writing"),
            most=MOST_WRITING,
            form="{:.1%}",
        ),
    ]

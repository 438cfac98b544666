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
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from measure import ROOT, Extraction, Row, Sample, run_rounds
from reports import begin_report, write_report
from tables import print_reasons, print_table

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
    most : float
        What it may be.
    form : str
        How a value is written.
    """

    what: str
    values: list[float]
    most: float
    form: str

    def to_cells(self) -> list[str]:
        """Return what is printed."""
        write = self.form.format
        return [
            self.what,
            write(median(self.values)),
            f"{write(min(self.values))}–{write(max(self.values))}",
            write(self.most),
            "yes" if median(self.values) <= self.most else "NO",
        ]


def main() -> None:
    """Measure, print and write."""
    arguments = parse_arguments()
    report = begin_report()
    sizes = (FEW, SOME, arguments.n_photos)
    with tempfile.TemporaryDirectory(prefix="scaling-") as cache_dir:
        flags = ["--dataset", str(arguments.data), "--device", "cpu", "--cache-dir", cache_dir]
        lite0 = [open_extraction("Lite0, bfloat16", n, [*LITE0, *flags]) for n in sizes]
        vgg16 = [open_extraction("VGG16 at 150, float32", n, [*VGG16, *flags]) for n in VGG16_SIZES]
        run_rounds([*lite0, *vgg16], arguments.rounds)
    lite0_rows, vgg16_rows = [e.row for e in lite0], [e.row for e in vgg16]
    rows = [*lite0_rows, *vgg16_rows]
    print_rows(rows)
    demands = [*judge_lite0(lite0_rows, sizes), *judge_vgg16(vgg16_rows)]
    print_demands(demands)
    report["rows"] = [row.to_dict() for row in rows]
    report["demands"] = [asdict(demand) for demand in demands]
    write_report(report, arguments.json)


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
    """Return the command that extracts so many images."""
    name = f"{label}, {n_images:,} images"
    return Extraction(name, name, flags, n_photos=n_images, n_images=n_images, seconds=0)


def judge_lite0(rows: Sequence[Row], sizes: Sequence[int]) -> list[Demand]:
    """Return whether time grows with the images, memory does not, and writing is hidden.

    Parameters
    ----------
    rows : sequence of Row
        Of a few images, of some and of all; nothing is returned if one failed.
    sizes : sequence of int
        How many images these are.
    """
    if any(row.failed for row in rows):
        return []
    few, some, whole = rows
    n_few, n_some, n_all = sizes
    seconds = [a.seconds / b.seconds for a, b in zip(whole.samples, some.samples, strict=True)]
    waited = share(whole.samples, "hashing", "writing")
    worked = share(whole.samples, "work_hashing", "work_writing")
    writing = f"hashing and writing of {n_all:,} images, share of the total"
    return [
        Demand(
            what=f"seconds, {n_all:,} ÷ {n_some:,} images",
            values=seconds,
            most=MOST_SECONDS * n_all / n_some,
            form="{:.2f}",
        ),
        Demand(
            what=f"peak memory, {n_all:,} ÷ {n_few:,} images",
            values=[whole.peak_mb / few.peak_mb],
            most=MOST_MEMORY,
            form="{:.3f}",
        ),
        Demand(what=f"{writing}: waited", values=waited, most=MOST_WRITING, form="{:.1%}"),
        Demand(what=f"{writing}: work", values=worked, most=MOST_WRITING, form="{:.1%}"),
    ]


def share(samples: Sequence[Sample], *parts: str) -> list[float]:
    """Return what parts of the ledger are of its total, 0-1, for each round."""
    return [
        sum(sample.ledger[part] for part in parts) / sample.ledger["total"] for sample in samples
    ]


def judge_vgg16(rows: Sequence[Row]) -> list[Demand]:
    """Return whether the memory of a large network stays below what was demanded."""
    return [
        Demand(what=f"peak MB, {row.label}", values=[row.peak_mb], most=VGG16_MB, form="{:,.0f}")
        for row in rows
        if row.failed is None
    ]


def print_rows(rows: Sequence[Row]) -> None:
    """Print what was measured, and why the rest was not."""
    print()
    body = []
    for row in rows:
        seconds = [sample.seconds for sample in row.samples]
        if row.failed is None:
            body.append(
                [
                    row.label,
                    f"{median(seconds):.1f}",
                    f"{min(seconds):.1f}–{max(seconds):.1f}",
                    f"{row.rate:.1f}",
                    f"{row.peak_mb:,.0f}",
                    f"{row.startup_seconds:.1f}",
                ]
            )
    print_table(["", "seconds", "lowest–highest", "images/s", "peak MB", "start s"], body)
    print_reasons({row.label: row.failed for row in rows if row.failed is not None})


def print_demands(demands: Sequence[Demand]) -> None:
    """Print what was found beside what should be."""
    print("\nThe median of the rounds counts:\n")
    head = ["", "found", "lowest–highest", "at most", "holds"]
    print_table(head, [demand.to_cells() for demand in demands])


if __name__ == "__main__":
    main()

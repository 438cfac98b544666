"""What computing in bfloat16 does to the accuracy, and what mirror images add to it.

    python benchmarks/precision.py
    python benchmarks/precision.py --data FOLDER --augment --json precision.json

Every folder is extracted by the real command, in float32 and in bfloat16; then a classifier is
fitted on each of five splits, drawn over all rows, a split that the folder comes with included. The
rows of a split are the same for both precisions, so the differences are paired. The five splits
draw from the same images: the standard error of their mean tells how steady it is, and less than
new images would.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from measure import ROOT, say
from numpy.typing import NDArray
from reports import begin_report, write_report
from tables import print_table

from pipeline.cache import read_features, row_cosines
from pipeline.config import FitConfig
from pipeline.fitting.in_memory import fit_table
from pipeline.predictions import parse_predictions
from pipeline.records import FeatureTable, Split

DATA = ROOT.parent / "shared" / "data"
FOLDERS = [DATA / "cats-and-dogs", DATA / "cifar10-sample"]
MODEL = "efficientnet-lite0"
SEEDS = range(5)
WITHIN = 0.3
"""Points that bfloat16 may differ from float32."""
VARIANTS = {
    "plain": (),
    "--augment hflip": ("--augment", "hflip"),
    "--augment hflip --views 2": ("--augment", "hflip", "--views", "2"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What a classifier answered on the test rows of one split.

    Attributes
    ----------
    paths, answers : object ndarray of shape (n_test,)
        The test images and the class names predicted for them.
    accuracy : float
        0-1.
    """

    paths: NDArray[np.object_]
    answers: NDArray[np.object_]
    accuracy: float


def main() -> None:
    """Measure, print and write."""
    arguments = parse_arguments()
    report = begin_report()
    report["precision"], report["augment"] = [], []
    with tempfile.TemporaryDirectory(prefix="precision-") as name:
        for data in arguments.data:
            report["precision"].append(compare_precisions(data, Path(name)))
            write_report(report, arguments.json)
        print_precisions(report["precision"])
        for data in arguments.data if arguments.augment else ():
            for row in compare_variants(data, Path(name)):
                report["augment"].append(row)
                write_report(report, arguments.json)
        if arguments.augment:
            print_variants(report["augment"])


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", default=FOLDERS, metavar="FOLDER")
    parser.add_argument("--augment", action="store_true", help="measure mirror images as well")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    arguments = parser.parse_args()
    for data in arguments.data:
        if not data.is_dir():
            parser.error(f"{data} is no folder: give --data folders of class folders.")
    arguments.data = [data.resolve() for data in arguments.data]
    return arguments


def extract(data: Path, cache_dir: Path, *flags: str) -> FeatureTable:
    """Run the real command and return its transfer values without the split they came with."""
    say(f"{data.name}: extract {shlex.join(flags)}")
    command = [sys.executable, "-m", "pipeline", "extract", "--dataset", str(data)]
    command += ["--model", MODEL, "--cache-dir", str(cache_dir), *flags, "--json", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)} failed; see above. Mend that and run this again.")
    table = read_features(Path(json.loads(done.stdout)["store"]))
    return replace(table, split=np.full_like(table.split, Split.NONE))


def fit_splits(table: FeatureTable, clf: str) -> list[Outcome]:
    """Fit a classifier on every split, in the order of `SEEDS`, and say what it remarks."""
    outcomes = []
    for seed in SEEDS:
        fitted = fit_table(table, FitConfig(clf=clf, seed=seed, tune=False))
        for note in fitted.report.notes:
            say(f"  {clf}, seed {seed}: {note}")
        asked = parse_predictions(fitted.predictions)
        outcomes.append(
            Outcome(
                paths=asked["path"].to_numpy(),
                answers=asked["prediction"].to_numpy(),
                accuracy=fitted.report.accuracy,
            )
        )
        say(f"  {clf}, seed {seed}: {fitted.report.accuracy:.2%}")
    return outcomes


def compare_precisions(data: Path, cache_dir: Path) -> dict[str, Any]:
    """Fit logreg on the values of both precisions; return what comes out as JSON values."""
    exact, coarse = (
        extract(data, cache_dir, "--precision", precision) for precision in ("float32", "bfloat16")
    )
    if exact.paths != coarse.paths:
        raise SystemExit(f"The precisions skipped different images of {data}: nothing to compare.")
    splits, n_same = [], 0
    for seed, a, b in zip(
        SEEDS, fit_splits(exact, "logreg"), fit_splits(coarse, "logreg"), strict=True
    ):
        if not np.array_equal(a.paths, b.paths):
            raise SystemExit(f"The test images of seed {seed} differ: this pair tells nothing.")
        n_same += int((a.answers == b.answers).sum())
        splits.append(
            {
                "seed": seed,
                "n_test": len(a.answers),
                "float32": a.accuracy,
                "bfloat16": b.accuracy,
                "points": 100 * (b.accuracy - a.accuracy),
            }
        )
    cosines = row_cosines(exact.features, coarse.features)
    points = [split["points"] for split in splits]
    return {
        "data": data.name,
        "n_images": len(exact.labels),
        "splits": splits,
        "mean_points": float(np.mean(points)),
        "standard_error": standard_error(points),
        "same_answer": n_same / sum(split["n_test"] for split in splits),
        "worst_cosine": float(cosines.min()),
        "mean_cosine": float(cosines.mean()),
        "mean_holds": abs(float(np.mean(points))) <= WITHIN,
        "n_splits_hold": sum(abs(value) <= WITHIN for value in points),
    }


def compare_variants(data: Path, cache_dir: Path) -> Iterator[dict[str, Any]]:
    """Fit logreg and svm on bfloat16 values with and without mirror images.

    Yields
    ------
    dict
        What comes out for one classifier and variant, as JSON values.
    """
    tables = {
        name: extract(data, cache_dir, "--precision", "bfloat16", *flags)
        for name, flags in VARIANTS.items()
    }
    for clf in ("logreg", "svm"):
        plain: list[float] = []
        for name, table in tables.items():
            say(f"{data.name}: {clf}, {name}")
            accuracies = [100 * outcome.accuracy for outcome in fit_splits(table, clf)]
            plain = plain or accuracies
            points = np.subtract(accuracies, plain).tolist()
            yield {
                "data": data.name,
                "clf": clf,
                "variant": name,
                "percent": accuracies,
                "points": points,
                "mean_points": float(np.mean(points)),
                "standard_error": standard_error(points),
            }


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of independent values."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def print_precisions(found: Sequence[dict[str, Any]]) -> None:
    """Print every pair of fits, then what they come to."""
    print(f"\n## bfloat16 against float32: {MODEL}, logreg, five drawn splits\n")
    body = [
        [
            *(data["data"], str(split["seed"])),
            *(f"{split['float32']:.2%}", f"{split['bfloat16']:.2%}", f"{split['points']:+.2f}"),
        ]
        for data in found
        for split in data["splits"]
    ]
    print_table(["data", "seed", "float32", "bfloat16", "points"], body)
    print("\nOver the splits, in points; test images with the same answer; cosines of the rows:\n")
    head = ["data", "mean", "standard error", "lowest–highest", "same answer"]
    print_table([*head, "worst cosine", "mean cosine"], [_sum_up(data) for data in found])
    for data in found:
        image = 100 / data["splits"][0]["n_test"]
        print(
            f"\n{data['data']}: within {WITHIN} points {'' if data['mean_holds'] else 'NOT '}"
            f"in the mean, and in {data['n_splits_hold']} of {len(SEEDS)} splits;"
            f" one test image is {image:.2f} points."
        )


def _sum_up(data: dict[str, Any]) -> list[str]:
    points = [split["points"] for split in data["splits"]]
    return [
        data["data"],
        f"{data['mean_points']:+.2f}",
        f"{data['standard_error']:.2f}",
        f"{min(points):+.2f} to {max(points):+.2f}",
        f"{data['same_answer']:.2%}",
        f"{data['worst_cosine']:.4f}",
        f"{data['mean_cosine']:.5f}",
    ]


def print_variants(rows: Sequence[dict[str, Any]]) -> None:
    """Print what mirror images change."""
    print(f"\n## Mirror images: {MODEL}, bfloat16, five drawn splits\n")
    body = [
        [
            f"{row['data']}, {row['clf']}, {row['variant']}",
            f"{np.mean(row['percent']):.2f} ± {np.std(row['percent'], ddof=1):.2f}",
            f"{row['mean_points']:+.2f} ± {row['standard_error']:.2f}",
            f"{min(row['points']):+.2f} to {max(row['points']):+.2f}",
        ]
        for row in rows
    ]
    head = ["", "accuracy %, ± deviation", "points to plain, ± standard error", "lowest–highest"]
    print_table(head, body)


if __name__ == "__main__":
    main()

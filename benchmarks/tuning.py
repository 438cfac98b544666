"""How much sooner is a tuned classifier there than with plain scikit-learn?

Both tune the same classifier on the same training rows over the same grid and folds, fit it on all
of them and answer the test rows: once with `pipeline.classifiers`, once with scikit-learn's
GridSearchCV on all cores. The grid is the one that our search ended with. Probabilities are left
out, since plain scikit-learn would not have them.

    python benchmarks/tuning.py STORE --clf svm logreg

STORE is made by `extract` and has a split of its own, for example of cifar10-sample.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import say
from reports import begin_report, write_report
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from pipeline.cache import read_features
from pipeline.classifiers import (
    PARAMETERS,
    class_scores,
    fit_classifier,
    make_classifier,
    tune,
)
from pipeline.config import CLASSIFIERS, FitConfig
from pipeline.machine import count_cores
from pipeline.records import FeatureTable
from pipeline.splits import Partition, draw_folds, split_rows

N_FOLDS = 3


def main() -> None:
    """Measure, print and write."""
    arguments = parse_arguments()
    report = begin_report()
    table = read_features(arguments.store)
    part = split_rows(table, config=FitConfig())
    report["store"], report["rows"] = table.dataset, []
    print(f"{table.dataset}, {table.model}: {len(part.train):,} training rows")
    print("\n| classifier | | seconds | accuracy |\n| --- | --- | ---: | ---: |")
    for clf in arguments.clf:
        for row in compare(clf, table, part):
            report["rows"].append(row)
            print(f"| {clf} | {row['what']} | {row['seconds']:.1f} | {row['accuracy']:.2%} |")
        ours, plain = report["rows"][-2:]
        ratio = plain["seconds"] / ours["seconds"]
        print(f"| {clf} | ratio | {ratio:.1f} × | {ours['accuracy'] - plain['accuracy']:+.2%} |")
        write_report(report, arguments.json)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--clf", nargs="+", choices=CLASSIFIERS, default=["svm"])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def compare(clf: str, table: FeatureTable, part: Partition) -> list[dict[str, Any]]:
    """Return what both took, ours first."""
    X, y = table.features[part.train], table.labels[part.train]
    X_test, y_test = table.features[part.test], table.labels[part.test]
    fold = draw_folds(table, part.train, n_folds=N_FOLDS, seed=42)
    say(f"{clf}: ours ...")
    started = time.perf_counter()
    tuning = tune(clf, X, y, fold=fold, n_classes=len(table.class_names))
    classifier = make_classifier(clf, n_samples=len(y), value=tuning.best)
    fitted, _ = fit_classifier(classifier, X, y)
    answers = class_scores(fitted, X_test, n_classes=len(table.class_names)).argmax(axis=1)
    ours = describe("pipeline", started, answers == y_test, tuning.best, tuning.values)
    say(f"{clf}: plain scikit-learn on {count_cores()} cores ...")
    started = time.perf_counter()
    grid = {f"{classifier.steps[-1][0]}__{PARAMETERS[clf]}": list(tuning.values)}
    search = GridSearchCV(classifier, grid, cv=PredefinedSplit(fold), n_jobs=count_cores())
    answers = search.fit(X, y).predict(X_test)
    best = float(next(iter(search.best_params_.values())))
    return [ours, describe("scikit-learn", started, answers == y_test, best, tuning.values)]


def describe(
    what: str, started: float, right: np.ndarray, best: float, values: tuple[float, ...]
) -> dict[str, Any]:
    """Return a row of the table as JSON values."""
    return {
        "what": what,
        "seconds": time.perf_counter() - started,
        "accuracy": float(right.mean()),
        "best": best,
        "values": list(values),
    }


if __name__ == "__main__":
    main()

"""Which distance tells unknown images, and which sets of classes are small and keep their word?

    python benchmarks/doubting.py STORE --unlike STORE STORE --without cat dog
    python benchmarks/doubting.py STORE --sets --clf logreg --rows 3000

Stores are made by `extract`, all with the same network. Each draw splits STORE anew. `--unlike`
names stores of images that are of none of its classes; `--without` trains on the other classes
alone and takes the images of these for unlike. The thresholds are chosen on the training rows.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import read_features
from pipeline.classifiers import default_value, fold_scores
from pipeline.config import CLASSIFIERS, FitConfig
from pipeline.doubting.distances import MahalanobisDistance, NeighbourDistance
from pipeline.doubting.ranks import conformal_rank, tolerance_rank
from pipeline.fitting.choosing import fit_rows
from pipeline.records import FeatureTable
from pipeline.splits import draw_folds, find_units, split_rows

KEEP, N_NEIGHBORS, FOLDS = 0.95, 5, 5
COVERAGES = (0.8, 0.9, 0.95, 0.99)
Values = NDArray[np.float32]
Measured = tuple[Values, Callable[[Values], Values]]
"""The distances of rows that were left out, sorted, and what measures others."""


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    table = read_features(arguments.store)
    if arguments.sets:
        compare_sets(table, arguments)
    else:
        compare_distances(table, arguments)


def parse_arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("--unlike", type=Path, nargs="*", default=[])
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--sets", action="store_true")
    parser.add_argument("--clf", choices=CLASSIFIERS, default="logreg")
    parser.add_argument("--rows", type=int, help="training rows, at most")
    parser.add_argument("--draws", type=int, default=5)
    return parser.parse_args()


def compare_distances(table: FeatureTable, arguments: argparse.Namespace) -> None:
    """Print how many test images and images of other kinds each distance calls unknown."""
    unlike = {path.parent.name: read_features(path).features for path in arguments.unlike}
    found = defaultdict(list)
    for seed in range(arguments.draws):
        part = split_rows(table, config=FitConfig(seed=seed))
        held = np.isin(table.labels, [table.class_names.index(n) for n in arguments.without])
        train = take(part.train[~held[part.train]], arguments.rows, seed)
        asked = {"test": table.features[part.test[~held[part.test]]], **unlike}
        if held.any():
            asked[" and ".join(arguments.without)] = table.features[part.test[held[part.test]]]
        for name, make in DISTANCES.items():
            usual, measure = make(table, train, seed)
            distances = {what: measure(values) for what, values in asked.items()}
            threshold = usual[(tolerance_rank(len(usual), KEEP) or len(usual)) - 1]
            found[name].append(
                {
                    what: (np.mean(some > threshold), separation(distances["test"], some))
                    for what, some in distances.items()
                }
            )
    others = [what for what in asked if what != "test"]
    print("| distance | test | largest | " + " | ".join(others) + " |")
    for name, draws in found.items():
        tested = [draw["test"][0] for draw in draws]
        cells = [
            "{:.1%} ({:.3f})".format(*np.mean([draw[what] for draw in draws], axis=0))
            for what in others
        ]
        print(f"| {name} | {np.mean(tested):.1%} | {max(tested):.1%} | " + " | ".join(cells) + " |")


def take(rows: NDArray[np.intp], n_rows: int | None, seed: int) -> NDArray[np.intp]:
    """Return at most so many rows, ascending."""
    if n_rows is None or len(rows) <= n_rows:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_rows, replace=False))


def separation(test: Values, others: Values) -> float:
    """Return how often an image of another kind is farther than a test image: the ROC's area."""
    ranks = np.concatenate([test, others]).argsort().argsort() + 1.0
    wins = ranks[len(test) :].sum() - len(others) * (len(others) + 1) / 2
    return float(wins / (len(test) * len(others)))


def neighbours(prepare: Callable[[Values], Callable[[Values], Values]], k: int = N_NEIGHBORS):
    """Return what measures cosine distances of values that were prepared."""

    def make(table: FeatureTable, train: NDArray[np.intp], _: int) -> Measured:
        change = prepare(table.features[train])
        distance = NeighbourDistance.of(change(table.features[train]), n_neighbors=k)
        units = find_units(table.sha256, table.group)[train]
        usual = np.sort(distance.measure_left_out(units))
        return usual, lambda values: distance.measure(change(values))

    return make


def mahalanobis(table: FeatureTable, train: NDArray[np.intp], seed: int) -> Measured:
    """Measure Mahalanobis distances, those of training rows by folds."""
    X, y = table.features[train], table.labels[train]
    fold = draw_folds(table, train, n_folds=FOLDS, seed=seed)
    usual = [
        MahalanobisDistance.of(X[fold != k], y[fold != k]).measure(X[fold == k])
        for k in range(FOLDS)
    ]
    return np.sort(np.concatenate(usual)), MahalanobisDistance.of(X, y).measure


def bare(_: Values) -> Callable[[Values], Values]:
    """Change nothing."""
    return lambda values: values


def standardised(train: Values) -> Callable[[Values], Values]:
    """Give each value mean 0 and deviation 1."""
    mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-9
    return lambda values: (values - mean) / deviation


def components(train: Values, n: int = 64) -> Callable[[Values], Values]:
    """Take the first principal components of standardised values."""
    change = standardised(train)
    axes = np.linalg.svd(change(train), full_matrices=False)[2][:n].T
    return lambda values: change(values) @ axes


DISTANCES: dict[str, Callable[[FeatureTable, NDArray[np.intp], int], Measured]] = {
    "k-NN, cosine, k = 1": neighbours(bare, 1),
    "k-NN, cosine, k = 5": neighbours(bare),
    "k-NN, cosine, k = 10": neighbours(bare, 10),
    "k-NN, cosine, roots of the values": neighbours(lambda _: lambda X: np.sqrt(np.maximum(X, 0))),
    "k-NN, cosine, standardised": neighbours(standardised),
    "k-NN, cosine, 64 components": neighbours(components),
    "Mahalanobis": mahalanobis,
}


def compare_sets(table: FeatureTable, arguments: argparse.Namespace) -> None:
    """Print how often each kind of set holds the right class, and how large it is."""
    found = defaultdict(list)
    for seed in range(arguments.draws):
        config = FitConfig(clf=arguments.clf, seed=seed)
        part = split_rows(table, config=config)
        train = take(part.train, arguments.rows, seed)
        left_out, asked = score(table, train, part.test, config)
        y, y_test = table.labels[train], table.labels[part.test]
        for coverage in COVERAGES:
            rank = conformal_rank(len(train), coverage)
            for name, strange in SETS.items():
                own = np.sort(strange(left_out)[np.arange(len(y)), y])
                chosen = strange(asked) <= own[rank - 1]
                if name != "1 - p alone":
                    chosen[np.arange(len(asked)), asked.argmax(axis=1)] = True
                right = chosen[np.arange(len(y_test)), y_test]
                worst = min(right[y_test == k].mean() for k in np.unique(y_test))
                sizes = chosen.sum(axis=1)
                found[coverage, name].append(
                    (
                        right.mean(),
                        right.mean() - coverage,
                        worst,
                        sizes.mean(),
                        np.mean(sizes == 0),
                    )
                )
        print(f"draw {seed}: accuracy {np.mean(asked.argmax(axis=1) == y_test):.1%}")
    print("| coverage | sets by | covered | worst class | classes a set | empty |")
    for (coverage, name), draws in found.items():
        covered, _, worst, size, empty = np.mean(draws, axis=0)
        print(f"| {coverage} | {name} | {covered:.1%} | {worst:.1%} | {size:.2f} | {empty:.1%} |")


def score(
    table: FeatureTable, train: NDArray[np.intp], test: NDArray[np.intp], config: FitConfig
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return probabilities of training rows that were left out, and of test rows."""
    n_classes = len(table.class_names)
    value = default_value(config.clf, n_samples=len(train))
    fold = draw_folds(table, train, n_folds=FOLDS, seed=config.seed)
    left_out = np.empty((len(train), n_classes))
    for k in range(FOLDS):
        fitted, _ = fit_rows(table, train[fold != k], config, value, calibrate=True)
        asked = table.features[train[fold == k]]
        left_out[fold == k] = fold_scores(fitted, asked, n_classes=n_classes)
    fitted, _ = fit_rows(table, train, config, value, calibrate=True)
    return left_out, fold_scores(fitted, table.features[test], n_classes=n_classes)


def adaptive(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of all classes from the best to each: APS, not randomised."""
    order = np.argsort(-p, axis=1, kind="stable")
    summed = np.take_along_axis(p, order, axis=1).cumsum(axis=1)
    result = np.empty_like(summed)
    np.put_along_axis(result, order, summed, axis=1)
    return result


SETS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "1 - p alone": lambda p: 1 - p,
    "1 - p and the best class": lambda p: 1 - p,
    "best p - p": lambda p: p.max(axis=1, keepdims=True) - p,
    "APS and the best class": adaptive,
}


if __name__ == "__main__":
    main()

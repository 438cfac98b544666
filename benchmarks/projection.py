"""Which map of transfer values is the best, and how long does it take?

Each method makes a map of the test rows and one of the training rows, twice: the time is that of
the quicker run, and both should be the same to the last bit. How good a map is: how often its
points are of the class that most of their 10 nearest neighbours are of (5-fold cross-validation),
and how many of the 10 nearest neighbours among the transfer values are among the 10 nearest in the
map. In bold, how often the transfer values themselves tell the class.
openTSNE and UMAP are left out where they are not installed; openTSNE starts from the same 50
components and the same plane as our t-SNE, and runs on all cores.

    python benchmarks/projection.py STORE

STORE is made by `extract` and has a split of its own, for example of cifar10-sample.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from measure import say
from reports import begin_report, write_report
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from pipeline.cache import read_features
from pipeline.config import FitConfig
from pipeline.machine import count_cores
from pipeline.projection import METHODS, is_available, project
from pipeline.projection.components import reduce_values
from pipeline.projection.tsne import PERPLEXITY, START
from pipeline.splits import split_rows

N_NEIGHBORS = 10
SEED = 42
NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP", "opentsne": "t-SNE by openTSNE"}

Embed = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Measure, print and write."""
    arguments = parse_arguments()
    report = begin_report()
    table = read_features(arguments.store)
    part = split_rows(table, config=FitConfig())
    report["store"], report["rows"] = table.dataset, []
    print("\n| | seconds | processor seconds | class by neighbours | neighbours kept | the same |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for rows in (part.test, part.train):
        X, y = table.features[rows], table.labels[rows]
        near = nearest(X)
        print(f"| **{X.shape[0]:,} × {X.shape[1]:,}** | | | {class_accuracy(X, y):.1%} | | |")
        for name, embed in list_contenders().items():
            say(f"{name}, {len(X):,} rows ...")
            row = {"method": name, "n_rows": len(X), **measure(embed, X, y, near)}
            report["rows"].append(row)
            print(
                f"| {NAMES[name]} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} "
                f"| {row['accuracy']:.1%} | {row['kept']:.1%} | {'yes' if row['same'] else 'no'} |",
                flush=True,
            )
            write_report(report, arguments.json)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def list_contenders() -> dict[str, Embed]:
    """Return what makes a map of rows, by name."""
    ours = {name: make_embed(name) for name in METHODS if is_available(name)}
    return ours | ({"opentsne": embed_with_opentsne} if find_spec("openTSNE") else {})


def make_embed(method: str) -> Embed:
    """Return one of our methods as a function of the rows alone."""
    return lambda X: project(X, method=method, random_state=SEED).points


def embed_with_opentsne(X: np.ndarray) -> np.ndarray:
    """Return openTSNE's map, from where ours starts."""
    values = reduce_values(X, random_state=SEED).values
    tsne = import_module("openTSNE").TSNE(
        perplexity=PERPLEXITY,
        initialization=values[:, :2] * (START / values[:, 0].std()),
        n_jobs=count_cores(),
        random_state=SEED,
    )
    return np.asarray(tsne.fit(values))


def measure(embed: Embed, X: np.ndarray, y: np.ndarray, near: np.ndarray) -> dict[str, Any]:
    """Return a row of the table as JSON values."""
    maps, seconds, cpu_seconds = [], [], []
    for _ in range(2):
        started, cpu_started = time.perf_counter(), time.process_time()
        maps.append(embed(X))
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - cpu_started)
    pairs = zip(near, nearest(maps[0]), strict=True)
    return {
        "seconds": min(seconds),
        "cpu_seconds": min(cpu_seconds),
        "accuracy": class_accuracy(maps[0], y),
        "kept": float(np.mean([np.isin(ours, theirs).mean() for ours, theirs in pairs])),
        "same": bool(np.array_equal(*maps)),
    }


def nearest(X: np.ndarray) -> np.ndarray:
    """Return the nearest rows of every row, itself left out."""
    return NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(X).kneighbors(return_distance=False)


def class_accuracy(X: np.ndarray, y: np.ndarray) -> float:
    """Return how often most of a row's neighbours are of its class."""
    return float(cross_val_score(KNeighborsClassifier(N_NEIGHBORS), X, y, cv=5).mean())


if __name__ == "__main__":
    main()

"""Epochs on what the frozen layers gave, kept once, against epochs on whole images.

Both begin with the same weights and see the same batches in the same order, in float32, without
dropout and without distortions: so they must end with the same weights, too.

    python -m benchmarks.finetuning --dataset FOLDER [--limit 2000] [--epochs 3]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.backbones.headless import build_bare
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.config import ExtractConfig, FinetuneConfig, FitConfig
from pipeline.extraction.preparing import prepare
from pipeline.opening import open_engine
from pipeline.records import Epoch
from pipeline.stages.extract import extract
from pipeline.stages.finetune import finetune
from pipeline.stages.plan_finetuning import plan
from pipeline.tuned import settings_of_tuning, tuned_path, weights_path

SAME = {"optimizer": "sgd", "learning_rate": 0.001, "dropout": 0.0, "patience": None}


def measure(config: ExtractConfig, tuning: FinetuneConfig) -> dict[str, Any]:
    """Train once; return the seconds of each part, and the folder of the weights."""
    split = FitConfig()
    job = prepare(config)
    planned = plan(job, tuning)
    started = time.perf_counter()
    store = extract(prepare(planned.extraction), open_engine).store
    extracting = time.perf_counter() - started
    folder = tuned_path(job.store, key=job.recipe.key, settings=settings_of_tuning(tuning, split))

    cpu_seconds, before = [], [time.process_time()]

    def tell(history: tuple[Epoch, ...]) -> None:
        now = time.process_time()
        cpu_seconds.append(round(now - before[0], 1))
        before[0] = now
        print(
            f"  epoch {len(history)}: {history[-1].seconds:.1f} s, {cpu_seconds[-1]} s of cores",
            flush=True,
        )

    tuned = finetune(job, planned, store, folder, tuning, split, on_epoch=tell)
    seconds = [epoch.seconds for epoch in tuned.history]
    return {
        "folder": folder,
        "extracting": extracting,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "n_train": tuned.n_train,
        "accuracy": tuned.accuracy,
    }


def read_weights(config: ExtractConfig, weights: str) -> list[Any]:
    """Return the arrays of a weights file of a network."""
    spec = get_spec(config.model)
    found = resolve_weights(spec, weights)
    return list(build_bare(spec, found, image_size=spec.input_size).get_weights())


def largest_difference(a: list[Any], b: list[Any]) -> float:
    """Return how far two lists of arrays are apart in their most different number."""
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--unfreeze-from", default="last-block")
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    given = parser.parse_args()
    spec = get_spec(given.model)
    with tempfile.TemporaryDirectory() as folder:
        config = ExtractConfig(
            dataset=given.dataset,
            model=spec.name,
            limit=given.limit,
            cache_dir=Path(folder),
        )
        tuning = FinetuneConfig(
            unfreeze_from=given.unfreeze_from,
            epochs=given.epochs,
            batch_size=given.batch_size,
            **SAME,
        )
        print("cached:")
        cached = measure(config, tuning)
        print("whole images:")
        whole = measure(config, replace(tuning, cache_frozen=False))
        start = read_weights(config, config.weights)
        ends = [
            read_weights(config, str(weights_path(run.pop("folder")))) for run in (cached, whole)
        ]
    # The first epoch of each also pays for building what it computes with.
    fastest = [min(run["seconds"]) for run in (cached, whole)]
    cpu = [min(run["cpu_seconds"]) for run in (cached, whole)]
    print(
        json.dumps(
            {
                "cached": cached,
                "whole": whole,
                "speedup": round(fastest[1] / fastest[0], 1),
                "speedup of the cores' time": round(cpu[1] / cpu[0], 1),
                "largest difference of a weight": largest_difference(*ends),
                "largest change by training": largest_difference(start, ends[0]),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()

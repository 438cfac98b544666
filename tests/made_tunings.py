"""Networks that were never trained, and what they would leave on disk."""

import hashlib

import numpy as np

from pipeline.records import Epoch, TrainedLayer, TunedNetwork
from pipeline.tuned import images_csv, save_tuned

FILES = [
    "curves.png",
    "curves.svg",
    "finetune.json",
    "history.csv",
    "images.csv",
    "weights.weights.h5",
]


def make_tuned(**changes):
    def layer(name, *, trains):
        return TrainedLayer(
            name=name, kind="Conv2D", shape=(7, 7, 16), n_parameters=1000, trains=trains
        )

    fields = {
        "dataset": "pets",
        "model": "efficientnet-lite0",
        "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
        "start_sha256": "0" * 64,
        "config": {"epochs": 3},
        "split_config": {"seed": 42},
        "split": "drawn",
        "class_names": ("cat", "dog"),
        "cut": ("block6d_add",),
        "layers": (layer("a", trains=False), layer("b", trains=False), layer("c", trains=True)),
        "history": tuple(
            Epoch(
                loss=2.0 / k,
                accuracy=1 - 0.5 / k,
                validation_loss=2.2 / k,
                validation_accuracy=1 - 0.6 / k,
                learning_rate=0.1,
                seconds=1.5,
            )
            for k in (1, 2, 3)
        ),
        "best_epoch": 3,
        "n_train": 8,
        "n_validation": 1,
        "n_test": 2,
        "accuracy": 0.5,
        "accuracy_ci": (0.1, 0.9),
        "device": "cpu",
        "seconds": 4.5,
        "versions": {"keras": "3"},
        "created": "2026-01-01T00:00:00+00:00",
        "notes": (),
    }
    return TunedNetwork(**{**fields, **changes})


def save(cache_dir, *, sha256=None, uses=("train", "train", "validation", "test"), **changes):
    """Write a folder of tuned weights; image k has the hash kkk… unless `sha256` tells others."""
    folder = cache_dir / "pets" / "efficientnet-lite0-12345678.finetune-0a1b2c3d"
    if sha256 is None:
        sha256 = np.repeat(np.arange(len(uses), dtype=np.uint8)[:, None], 32, axis=1)
    rows = {use: np.flatnonzero(np.array(uses) == use) for use in dict.fromkeys(uses)}
    paths = [f"{k}.jpg" for k in range(len(uses))]
    tuned = make_tuned(**changes)
    save_tuned(
        folder,
        tuned,
        weights=b"weights",
        images=images_csv(paths, sha256, rows),
        drawn={"curves.png": b"png", "curves.svg": b"svg"},
    )
    return folder, tuned

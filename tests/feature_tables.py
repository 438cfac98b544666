"""Transfer values that were never extracted: classes as clouds around points far apart."""

import hashlib
from dataclasses import replace

import numpy as np

from pipeline.records import FeatureTable
from pipeline.stages import fit as fit_stage


def make_table(*, n_classes=3, n_per_class=20, n_features=8, spread=0.3, seed=0, **columns):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes, dtype=np.int32), n_per_class)
    centres = rng.normal(size=(n_classes, n_features))
    features = centres[labels] + spread * rng.normal(size=(len(labels), n_features))
    table = FeatureTable(
        features=features.astype(np.float32),
        labels=labels,
        class_names=tuple(f"class {i}" for i in range(n_classes)),
        split=np.zeros(len(labels), np.uint8),
        group=np.full(len(labels), -1, np.int32),
        group_names=(),
        sha256=hashes(range(len(labels))),
        paths=tuple(f"{label}/{row:04}.jpg" for row, label in enumerate(labels)),
        root="/photos",
        dataset="clouds",
        source="clouds",
        model="fake",
        key="ab" * 32,
        recipe={
            "backbones": [
                {
                    "model": "fake",
                    "layers": ["top"],
                    "input_size": 224,
                    "resize": "crop",
                    "weights_sha256": "5793" * 16,
                }
            ],
            "pooling": "avg",
            "augment": "none",
            "views": 1,
            "precision": "float32",
        },
        content_sha256="cd" * 32,
        n_features=n_features,
        n_found=len(labels),
        skipped={},
        oddities={},
    )
    table = replace(table, **columns)
    return replace(table, n_features=table.features.shape[1])


def serve_table(monkeypatch, table):
    """Let every store hold this table."""
    for read in ("read_features", "read_samples"):
        monkeypatch.setattr(fit_stage, read, lambda store: table)
    monkeypatch.setattr(fit_stage, "check_unchanged", lambda store, content_sha256: None)


def add_mirror(table, *, shift=0.0):
    """Return a table with a second view, of which every value is higher by `shift`."""
    both = np.hstack([table.features, table.features + np.float32(shift)])
    recipe = {**table.recipe, "views": 2}
    return replace(table, features=both, n_features=both.shape[1], recipe=recipe)


def hashes(contents):
    digests = [hashlib.sha256(str(content).encode()).digest() for content in contents]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)

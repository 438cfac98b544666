"""A linear classifier alone as a file for NumPy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.records import Head


def write_head(
    path: Path, head: Head, about: Mapping[str, Any]
) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Write the one matrix of a linear classifier, and return what computes with what was written.

    Nothing in it is pickled: names and recipe are text.
    """
    (layer,) = head.layers
    np.savez(
        path,
        weights=layer.weights,  # type: ignore[union-attr]
        constants=layer.constants,  # type: ignore[union-attr]
        class_names=np.array(json.dumps(about["class_names"])),
        about=np.array(json.dumps(about)),
    )
    with np.load(path, allow_pickle=False) as file:
        weights, constants = file["weights"], file["constants"]

    def run(values: NDArray[Any]) -> NDArray[np.float64]:
        scores = values.astype(np.float64) @ weights + constants
        if head.kind == "score":
            return np.asarray(scores)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    return run

"""Settle a network that answers by itself: its own top names ImageNet's 1,000 classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.imagenet_names import imagenet_classes
from pipeline.config import ExtractConfig
from pipeline.datasets.loose import list_nothing
from pipeline.extraction.preparing import make_job, settle_top_network
from pipeline.predicting.settling import PROBABILITY, Predictor
from pipeline.records import OnProgress


def settle_whole(
    model: str,
    *,
    cache_dir: Path,
    weights: str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    on_download: OnProgress | None = None,
) -> Predictor:
    """Settle a whole network with its own top.

    Parameters
    ----------
    model : str
        Of one backbone.
    cache_dir : Path
        Where converted networks are kept.
    weights : str, optional
        Of the whole network: "imagenet", "random" or a file.
    device : str, optional
    batch_size, workers : int, optional
    on_download : callable, optional
        Called with (bytes of the weights received, bytes in all), if they are not here yet.

    Raises
    ------
    ConfigError
        If there is no such network, or a setting cannot be used.
    WeightsNotFoundError, BackboneError
        If its weights are not here, or are not its own.
    """
    default = ExtractConfig()
    config = ExtractConfig(
        model=model,
        cache_dir=cache_dir,
        weights=default.weights if weights is None else weights,
        device=default.device if device is None else device,
        batch_size=batch_size,
        workers=workers,
    )
    network = settle_top_network(config, on_download=on_download)
    return Predictor(
        source=f"{network.parts[0].spec.name}, trained on ImageNet",
        clf="",
        job=make_job(config, network, list_nothing()),
        class_names=imagenet_classes(),
        kind=PROBABILITY,
        score=_as_they_are,
    )


def _as_they_are(probabilities: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Return the network's values, which are the probabilities of its classes."""
    return probabilities

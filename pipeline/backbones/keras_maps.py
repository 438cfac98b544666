"""Activation maps through Keras: on a GPU, and where no converted network was kept."""

from __future__ import annotations

import numpy as np

from pipeline.backbones.activation_maps import (
    NOT_POOLED,
    Maps,
    compute_in_batches,
    join_mirrored,
)
from pipeline.backbones.batching import memory_checked, pad_batch
from pipeline.backbones.engine import Images
from pipeline.backbones.engines import choose_device
from pipeline.backbones.headless import build_maps
from pipeline.backbones.keras_engine import demand_float32
from pipeline.backbones.network import Network
from pipeline.backbones.quiet_keras import keras
from pipeline.errors import BackboneError

BATCH_SIZE = 8


class KerasMaps:
    """The part of a network that comes before the pooling, as Keras runs it.

    Parameters
    ----------
    network : Network
    device : str
        "auto", "cpu", "gpu", "gpu:0", ...
    precision : str
        "float32" or "bfloat16".

    Raises
    ------
    ConfigError, BackboneError
        As `engines.open_engine`; also if the values are not averages over an area.
    """

    def __init__(self, network: Network, *, device: str, precision: str) -> None:
        if precision == "float32":
            demand_float32()
        self.image_sizes = network.image_sizes
        self._is_mirrored = network.mirrored
        self._device = choose_device(device)
        self._keras_device = self._device if self._device != "cpu" else "cpu:0"
        with memory_checked(self._device, BATCH_SIZE), keras.device(self._keras_device):
            self._models = [build_maps(part, precision=precision) for part in network.parts]
        taps = [tap for model in self._models for tap in model.outputs]
        if any(len(tap.shape) != 4 for tap in taps):
            raise BackboneError(NOT_POOLED)

    def compute(self, images: Images) -> Maps:
        """Return the maps; see `MapEngine`."""
        return compute_in_batches(self._compute, images, batch_size=BATCH_SIZE)

    def _compute(self, images: Images) -> Maps:
        padded = pad_batch(images, batch_size=BATCH_SIZE, image_sizes=self.image_sizes)
        own = self._run(padded)
        if self._is_mirrored:
            turned = self._run(tuple(each[:, :, ::-1] for each in padded))
            own = tuple(join_mirrored(*pair) for pair in zip(own, turned, strict=True))
        return tuple(maps[: len(images[0])] for maps in own)

    def _run(self, padded: Images) -> Maps:
        found: list[object] = []
        with memory_checked(self._device, BATCH_SIZE), keras.device(self._keras_device):
            for model, images in zip(self._models, padded, strict=True):
                maps = model.predict_on_batch(np.ascontiguousarray(images))
                found += maps if isinstance(maps, list) else [maps]
        return tuple(np.array(each, np.float32) for each in found)

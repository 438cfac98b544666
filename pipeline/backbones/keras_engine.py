"""Run a backbone through Keras, on whichever backend it is set to: the GPU path."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.batching import memory_checked, pad_batch
from pipeline.backbones.quiet_keras import keras, without_chatter


def list_gpus() -> list[str]:
    """Return the GPUs that Keras sees: "gpu:0", "gpu:1", ..."""
    try:
        with without_chatter():  # TensorFlow starts its GPU side here
            return list(keras.distribution.list_devices("gpu"))
    except (AttributeError, NotImplementedError, RuntimeError, ValueError):
        # JAX raises RuntimeError when it has no GPU; some backends cannot list devices at all, and
        # in Keras 3.15 two of them lack the module for it, an AttributeError.
        return []


class KerasEngine:
    """A headless network that Keras runs.

    Parameters
    ----------
    build : callable
        Makes the network of `build_headless`; called under the device it is to live on.
    batch_size : int
        Every call is padded to it: one shape is one compiled function.
    device : str
        "cpu", "gpu:0", ...
    precision : str
        "float32" or "bfloat16".
    """

    name = "keras"

    def __init__(
        self,
        build: Callable[[], keras.Model],
        *,
        batch_size: int,
        device: str,
        precision: str,
    ) -> None:
        if precision == "float32":
            # NVIDIA's libraries compute float32 products in TensorFloat-32 (10 bits of mantissa)
            # unless told otherwise; they read this when they start.
            os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
        self.device = device
        self.batch_size = batch_size
        self._keras_device = device if device != "cpu" else "cpu:0"
        with keras.device(self._keras_device):
            self._model = build()
        self.image_size = int(self._model.input_shape[1])
        self.width = int(self._model.output_shape[1])
        self.versions: Mapping[str, str] = _versions()

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the transfer values, (n, width), of (n, H, W, 3) RGB images, n <= batch_size."""
        padded = pad_batch(images, batch_size=self.batch_size, image_size=self.image_size)
        with memory_checked(self.device, self.batch_size), keras.device(self._keras_device):
            values = self._model.predict_on_batch(padded)
        return np.array(values[: len(images)], np.float32)

    def infer_many(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yield `infer` of every batch, in order."""
        for images in batches:
            yield self.infer(images)


def _versions() -> dict[str, str]:
    backend = keras.config.backend()
    loaded = sys.modules.get(backend)
    return {"keras": keras.__version__, backend: str(getattr(loaded, "__version__", "unknown"))}

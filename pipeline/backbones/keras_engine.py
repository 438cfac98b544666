"""Run a backbone through Keras, on whichever backend it is set to: the GPU path."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.batching import memory_checked, pad_batch
from pipeline.backbones.engine import Images
from pipeline.backbones.headless import build_network, find_widths
from pipeline.backbones.network import Network
from pipeline.backbones.quiet_keras import keras, keras_versions, without_chatter


def list_gpus() -> list[str]:
    """Return the GPUs that Keras sees: "gpu:0", "gpu:1", ..."""
    if keras.config.backend() == "torch":  # for which Keras 3.15 cannot list devices
        return [f"gpu:{n}" for n in range(sys.modules["torch"].cuda.device_count())]
    try:
        with without_chatter():  # TensorFlow starts its GPU side here
            return list(keras.distribution.list_devices("gpu"))
    except (AttributeError, NotImplementedError, RuntimeError, ValueError):
        # JAX raises RuntimeError when it has no GPU; some backends cannot list devices at all, and
        # in Keras 3.15 they lack the module for it, an AttributeError.
        return []


def demand_float32() -> None:
    """Have NVIDIA's libraries compute float32 products as such; they read this when they start.

    Unless told otherwise they take TensorFloat-32, with 10 bits of mantissa.
    """
    os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")


class KerasEngine:
    """A network that Keras runs, as one compiled function for one batch shape.

    Whether XLA compiles it is Keras's choice: on GPUs it does; TensorFlow on a CPU runs
    EfficientNet-Lite0 sixteen times slower with it (`benchmarks/README.md`).

    Parameters
    ----------
    network : Network
    batch_size : int
        Every call is padded to it.
    device : str
        "cpu", "gpu:0", ...
    precision : str
        "float32" or "bfloat16".
    """

    name = "keras"

    def __init__(self, network: Network, *, batch_size: int, device: str, precision: str) -> None:
        if precision == "float32":
            demand_float32()
        self.device = device
        self.batch_size = batch_size
        self.image_sizes = network.image_sizes
        self._keras_device = device if device != "cpu" else "cpu:0"
        with memory_checked(device, batch_size), keras.device(self._keras_device):
            self._model = build_network(network, precision=precision)
        self.widths = find_widths(self._model, network)
        self.width = sum(self.widths)
        self.versions: Mapping[str, str] = keras_versions()
        # A GPU takes the next batch from the main memory while it computes this one. Not on JAX:
        # there predict_on_batch donates the weights' buffers to the call, so a second call at the
        # same time finds them deleted.
        self._n_threads = 1 if device == "cpu" or keras.config.backend() == "jax" else 2

    def infer(self, images: Images) -> NDArray[np.float32]:
        """Return the transfer values, (n, width), of n <= batch_size images."""
        return self._compute(self._pad(images), len(images[0]))

    def infer_many(self, batches: Iterable[Images]) -> Iterator[NDArray[np.float32]]:
        """Yield `infer` of every batch, in order, computing while the next batch is prepared."""
        with ThreadPoolExecutor(self._n_threads, thread_name_prefix="infer") as pool:
            in_flight: deque[Future[NDArray[np.float32]]] = deque()
            try:
                for images in batches:
                    # Copied, so that the caller may reuse the arrays.
                    padded = tuple(array.copy() for array in self._pad(images))
                    in_flight.append(pool.submit(self._compute, padded, len(images[0])))
                    if len(in_flight) > self._n_threads:
                        yield in_flight.popleft().result()
                while in_flight:
                    yield in_flight.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _pad(self, images: Images) -> Images:
        return pad_batch(images, batch_size=self.batch_size, image_sizes=self.image_sizes)

    def _compute(self, padded: Images, n_images: int) -> NDArray[np.float32]:
        with memory_checked(self.device, self.batch_size), keras.device(self._keras_device):
            values = self._model.predict_on_batch(list(padded))
        return np.array(values[:n_images], np.float32)

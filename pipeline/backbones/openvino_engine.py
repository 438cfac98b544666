"""Run a backbone through OpenVINO: the CPU path, three to five times as fast as Keras there."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from pipeline.backbones.batching import memory_checked, pad_batch
from pipeline.backbones.quiet_keras import keras
from pipeline.errors import BackboneError

# Without the hint OpenVINO picks bfloat16 by itself on CPUs that have it.
_PRECISION_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVINOEngine:
    """A headless network that OpenVINO runs.

    Parameters
    ----------
    model : keras.Model
        From `build_headless`, in float32; not needed any more afterwards.
    batch_size : int
        The network is compiled for this shape alone.
    precision : str
        "float32" or "bfloat16".

    Raises
    ------
    BackboneError
        When OpenVINO cannot convert or compile the network.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, model: keras.Model, *, batch_size: int, precision: str) -> None:
        self.batch_size = batch_size
        self.image_size = int(model.input_shape[1])
        self.width = int(model.output_shape[1])
        self.versions: Mapping[str, str] = {
            "keras": keras.__version__,
            "openvino": version("openvino"),  # its own __version__ names a build, too
        }
        try:
            with memory_checked(self.device, batch_size):
                self._compiled = _compile(model, batch_size, self.image_size, precision)
        except RuntimeError as exc:
            raise BackboneError(
                f"OpenVINO cannot compile the network for batches of {batch_size}: {exc}"
            ) from exc
        n_requests = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        # One more than can run at once, so that none waits for the caller.
        self._n_in_flight = n_requests + 1
        self._idle: list[Any] = []

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the transfer values, (n, width), of (n, H, W, 3) RGB images, n <= batch_size."""
        return self._finish(self._start(images))

    def infer_many(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yield `infer` of every batch, in order, computing while the next batch is prepared."""
        in_flight: deque[tuple[Any, int]] = deque()
        try:
            for images in batches:
                in_flight.append(self._start(images))
                if len(in_flight) >= self._n_in_flight:
                    yield self._finish(in_flight.popleft())
            while in_flight:
                yield self._finish(in_flight.popleft())
        finally:
            for request, _ in in_flight:
                request.wait()
                self._idle.append(request)

    def _start(self, images: NDArray[np.uint8]) -> tuple[Any, int]:
        """Start computing a batch; its pixels are copied, so the caller may reuse the array."""
        padded = pad_batch(images, batch_size=self.batch_size, image_size=self.image_size)
        with memory_checked(self.device, self.batch_size):  # the first one takes its memory here
            request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
            request.start_async([padded], share_inputs=False)
        return request, len(images)

    def _finish(self, started: tuple[Any, int]) -> NDArray[np.float32]:
        """Wait for a batch and copy its values before its request is used again."""
        request, n_images = started
        try:
            with memory_checked(self.device, self.batch_size):
                request.wait()
        except RuntimeError as exc:
            raise BackboneError(f"OpenVINO could not compute a batch: {exc}") from exc
        values = np.array(request.get_output_tensor(0).data[:n_images], np.float32)
        self._idle.append(request)
        return values


def _compile(model: keras.Model, batch_size: int, image_size: int, precision: str) -> Any:
    """Convert a Keras network and compile it for one batch shape."""
    core = ov.Core()
    with tempfile.TemporaryDirectory(prefix="transfer-values-") as folder:
        path = Path(folder) / "model.xml"
        model.export(str(path), format="openvino", verbose=False)
        network = core.read_model(path)
        network.reshape([batch_size, image_size, image_size, 3])
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision],
            "PERFORMANCE_HINT": "THROUGHPUT",
        }
        return core.compile_model(network, "CPU", settings)

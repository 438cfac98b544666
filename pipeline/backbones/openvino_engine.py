"""Run a network through OpenVINO: the CPU path, without importing Keras."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.batching import AUTO_BATCH_SIZES, memory_checked, pad_batch
from pipeline.backbones.converted import ConvertedNetwork, find_converted
from pipeline.backbones.engine import Images
from pipeline.backbones.network import Network
from pipeline.backbones.openvino_library import ov
from pipeline.errors import BackboneError, OutOfMemoryError
from pipeline.machine import find_version

# Without the hint OpenVINO picks bfloat16 by itself on CPUs that have it.
_PRECISION_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVINOEngine:
    """A network that OpenVINO runs.

    Parameters
    ----------
    converted : ConvertedNetwork
        Its files are not needed any more afterwards.
    batch_size : int
        The network is compiled for this shape alone.
    precision : str
        "float32" or "bfloat16".

    Raises
    ------
    BackboneError
        When OpenVINO cannot read or compile the network.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, converted: ConvertedNetwork, *, batch_size: int, precision: str) -> None:
        self.batch_size = batch_size
        self.image_sizes = converted.network.image_sizes
        self.widths = converted.widths
        self.width = sum(self.widths)
        self.versions: Mapping[str, str] = {
            **converted.versions,
            # Its own __version__ names a build, too.
            "openvino": find_version("openvino") or "unknown",
        }
        try:
            with memory_checked(self.device, batch_size):
                model = read_shaped(converted, batch_size)
                self._compiled = compile_model(model, precision=precision, hint="THROUGHPUT")
        except RuntimeError as exc:
            raise BackboneError(
                f"OpenVINO cannot compile the network for batches of {batch_size}: {exc}"
            ) from exc
        n_requests = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        # One more than can run at once, so that none waits for the caller.
        self._n_in_flight = n_requests + 1
        self._idle: list[Any] = []

    def infer(self, images: Images) -> NDArray[np.float32]:
        """Return the transfer values, (n, width), of n <= batch_size images."""
        return self._finish(self._start(images))

    def infer_many(self, batches: Iterable[Images]) -> Iterator[NDArray[np.float32]]:
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

    def _start(self, images: Images) -> tuple[Any, int]:
        """Start computing a batch; its pixels are copied, so the caller may reuse the arrays."""
        padded = pad_batch(images, batch_size=self.batch_size, image_sizes=self.image_sizes)
        with memory_checked(self.device, self.batch_size):  # the first one takes its memory here
            request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
            request.start_async(list(padded), share_inputs=False)
        return request, len(images[0])

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


def open_kept(
    network: Network, cache_dir: Path, *, batch_size: int | None, precision: str
) -> OpenVINOEngine | None:
    """Open a network that was converted before, without Keras; None if it is not there, whole.

    Parameters
    ----------
    network, batch_size, precision
        As for `engines.open_engine`.
    cache_dir : Path
        Where it may be kept.

    Raises
    ------
    OutOfMemoryError
        When batches of this size do not fit into the memory.
    """
    converted = find_converted(cache_dir, network)
    if converted is None:
        return None
    size = batch_size or AUTO_BATCH_SIZES[OpenVINOEngine.name]
    try:
        engine = OpenVINOEngine(converted, batch_size=size, precision=precision)
    except OutOfMemoryError:
        raise
    except BackboneError:  # then it is converted anew
        return None
    # Had somebody replaced it meanwhile, its two files could be those of two networks.
    return engine if find_converted(cache_dir, network) == converted else None


def read_shaped(converted: ConvertedNetwork, batch_size: int) -> Any:
    """Read a converted network and give it one batch shape."""
    model = ov.Core().read_model(converted.path)
    sizes = converted.network.image_sizes
    model.reshape({n: [batch_size, size, size, 3] for n, size in enumerate(sizes)})
    return model


def compile_model(model: Any, *, precision: str, hint: str) -> Any:
    """Compile a network of one batch shape for the CPU.

    Parameters
    ----------
    model : openvino.Model
    precision : str
        "float32" or "bfloat16".
    hint : str
        "THROUGHPUT" for many batches at once, "LATENCY" for one after the other.
    """
    settings = {"INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision], "PERFORMANCE_HINT": hint}
    return ov.Core().compile_model(model, "CPU", settings)

"""Activation maps from a network that was converted before, without importing Keras."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.activation_maps import (
    NOT_POOLED,
    Maps,
    compute_in_batches,
    join_mirrored,
)
from pipeline.backbones.batching import memory_checked, pad_batch
from pipeline.backbones.converted import ConvertedNetwork, find_converted
from pipeline.backbones.engine import Images
from pipeline.backbones.network import Network
from pipeline.backbones.openvino_engine import compile_model, read_shaped
from pipeline.backbones.openvino_library import ov
from pipeline.errors import BackboneError

BATCH_SIZE = 4
_PASS_ON = ("Result", "Convert", "Reshape", "Squeeze", "Split", "VariadicSplit")
# Where the picture's area lies in an array of four dimensions, and how to bring the channels last.
_LAYOUTS = {frozenset({1, 2}): (0, 1, 2, 3), frozenset({2, 3}): (0, 2, 3, 1)}


class OpenVINOMaps:
    """The part of a converted network that comes before the pooling.

    Parameters
    ----------
    converted : ConvertedNetwork
        Its files are not needed any more afterwards.
    precision : str
        "float32" or "bfloat16".

    Raises
    ------
    BackboneError
        If OpenVINO cannot read or compile it, or the values are not averages over an area.
    """

    def __init__(self, converted: ConvertedNetwork, *, precision: str) -> None:
        self.image_sizes = converted.network.image_sizes
        self._is_mirrored = converted.network.mirrored
        try:
            with memory_checked("cpu", BATCH_SIZE):
                model = read_shaped(converted, BATCH_SIZE)
                pooled = list(dict.fromkeys(_find_pooled(model.output(0))))
                taps = [node.input_value(0) for node in pooled]
                self._axes = [_LAYOUTS[_read_area(node)] for node in pooled]
                ended = ov.Model(taps, model.get_parameters(), "maps")
                compiled = compile_model(ended, precision=precision, hint="LATENCY")
                self._request = compiled.create_infer_request()
        except RuntimeError as exc:
            raise BackboneError(f"OpenVINO cannot compile the activation maps: {exc}") from exc

    def compute(self, images: Images) -> Maps:
        """Return the maps; see `MapEngine`."""
        return compute_in_batches(self._compute, images, batch_size=BATCH_SIZE)

    def _compute(self, images: Images) -> Maps:
        padded = pad_batch(images, batch_size=BATCH_SIZE, image_sizes=self.image_sizes)
        try:
            with memory_checked("cpu", BATCH_SIZE):
                self._request.infer(list(padded))
        except RuntimeError as exc:
            raise BackboneError(f"OpenVINO could not compute activation maps: {exc}") from exc
        return tuple(self._read(number, len(images[0])) for number in range(len(self._axes)))

    def _read(self, number: int, n_images: int) -> NDArray[np.float32]:
        """Return one output, channels last, the mirror images' in that of the images."""
        tensor = self._request.get_output_tensor(number)
        # A copy: the next batch overwrites the tensor.
        maps = np.array(tensor.data.transpose(self._axes[number]), np.float32)
        if self._is_mirrored:  # the images, then their mirror images
            return join_mirrored(maps[:n_images], maps[BATCH_SIZE : BATCH_SIZE + n_images])
        return maps[:n_images]


def open_kept_maps(network: Network, cache_dir: Path, *, precision: str) -> OpenVINOMaps | None:
    """Open the maps of a network that was converted before; None if it is not there, whole.

    Parameters
    ----------
    network : Network
    cache_dir : Path
        Where it may be kept.
    precision : str
        "float32" or "bfloat16".

    Raises
    ------
    BackboneError
        As `OpenVINOMaps`.
    """
    converted = find_converted(cache_dir, network)
    if converted is None:
        return None
    maps = OpenVINOMaps(converted, precision=precision)
    # Had somebody replaced it meanwhile, its two files could be those of two networks.
    return maps if find_converted(cache_dir, network) == converted else None


def _find_pooled(output: Any) -> Iterator[Any]:
    """Yield the nodes that average over an area, in the order in which their values are joined.

    Between these and the values of a network there are only joining, and dividing into views and
    averaging them. A node comes once for each view.

    Raises
    ------
    BackboneError
        If anything else happens to the values after an average.
    """
    node = output.get_node()
    kind = node.get_type_name()
    if kind == "ReduceMean" and _read_area(node) in _LAYOUTS:
        yield node
    elif kind in _PASS_ON or (kind == "Multiply" and _is_number(node.input_value(1))):
        yield from _find_pooled(node.input_value(0))
    elif kind in ("Concat", "Add"):
        for number in range(node.get_input_size()):
            yield from _find_pooled(node.input_value(number))
    else:
        raise BackboneError(NOT_POOLED)


def _read_area(node: Any) -> frozenset[int]:
    """Return the axes that a ReduceMean averages over, if its input has four; else none."""
    axes, rank = node.input_value(1).get_node(), len(node.input_value(0).get_partial_shape())
    if axes.get_type_name() != "Constant" or rank != 4:
        return frozenset()
    return frozenset(int(axis) % 4 for axis in np.ravel(axes.data))


def _is_number(output: Any) -> bool:
    """Tell whether an output is a single constant number."""
    node = output.get_node()
    return bool(node.get_type_name() == "Constant" and node.data.size == 1)

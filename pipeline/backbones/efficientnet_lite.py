"""EfficientNet-Lite0, 1 and 2 in Keras, with the ImageNet weights that PyPI carries.

EfficientNet without squeeze-and-excitation, with ReLU6 for swish, and with a stem, a head and
first and last stages that do not grow with the depth and width multipliers.

References
----------
M. Tan, Q. Le: EfficientNet, arXiv 1905.11946.
R. Liu: Higher accuracy on vision models with EfficientNet-Lite, TensorFlow blog, March 2020, and
`efficientnet/lite` in github.com/tensorflow/tpu.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.quiet_keras import keras
from pipeline.errors import BackboneError

N_CLASSES = 1000
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280
_BN_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class _Stage:
    """A run of blocks; `repeats` and `filters` before the multipliers."""

    kernel: int
    repeats: int
    filters: int
    expansion: int
    stride: int


# Table 1 of the paper.
_STAGES = (
    _Stage(3, 1, 16, 1, 1),
    _Stage(3, 2, 24, 6, 2),
    _Stage(5, 2, 40, 6, 2),
    _Stage(3, 3, 80, 6, 2),
    _Stage(5, 3, 112, 6, 1),
    _Stage(5, 4, 192, 6, 2),
    _Stage(3, 1, 320, 6, 1),
)
# Width and depth multipliers.
_MULTIPLIERS = {
    "EfficientNetLite0": (1.0, 1.0),
    "EfficientNetLite1": (1.0, 1.1),
    "EfficientNetLite2": (1.1, 1.2),
}


def build_efficientnet_lite(
    constructor: str, *, image_size: int | None, include_top: bool = False
) -> keras.Model:
    """Build an EfficientNet-Lite with untrained weights.

    Parameters
    ----------
    constructor : str
        `EfficientNetLite0`, `EfficientNetLite1` or `EfficientNetLite2`.
    image_size : int or None
        Side of the square input in pixels; None leaves it open.
    include_top : bool
        Whether to end in the 1,000 logits of ImageNet rather than the last convolution.

    Returns
    -------
    keras.Model
        From float32 (b, H, W, 3), RGB as `(x - 127) / 128`, to float32 (b, H / 32, W / 32, 1280),
        or (b, 1000) with the top.
    """
    inputs = keras.Input((image_size, image_size, 3))
    x = _conv_bn(inputs, _STEM_FILTERS, "stem_conv", "stem_bn", kernel=3, stride=2)
    x = _relu6(x, "stem_activation")
    for block in _blocks(constructor):
        x = _inverted_residual(x, block)
    x = _relu6(_conv_bn(x, _HEAD_FILTERS, "top_conv", "top_bn"), "top_activation")
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = keras.layers.Dense(N_CLASSES, name="predictions")(x)
    return keras.Model(inputs, x, name=constructor.lower())


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    kernel: int
    filters: int
    expansion: int
    stride: int


def _blocks(constructor: str) -> list[_Block]:
    """List the blocks of a network after its multipliers, named as Keras's EfficientNet does."""
    width, depth = _MULTIPLIERS[constructor]
    blocks = []
    for number, stage in enumerate(_STAGES):
        fixed = number in (0, len(_STAGES) - 1)
        repeats = stage.repeats if fixed else math.ceil(stage.repeats * depth)
        for repeat in range(repeats):
            name = f"block{number + 1}{chr(ord('a') + repeat)}"
            filters = _round_filters(stage.filters * width)
            stride = stage.stride if repeat == 0 else 1
            blocks.append(_Block(name, stage.kernel, filters, stage.expansion, stride))
    return blocks


def _round_filters(filters: float) -> int:
    """Round to a multiple of 8, never down by more than a tenth."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _relu6(x: Any, name: str) -> Any:
    return keras.layers.ReLU(max_value=6.0, name=name)(x)


def _batch_norm(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(epsilon=_BN_EPSILON, name=name)(x)


def _conv_bn(
    x: Any, filters: int, conv: str, batch_norm: str, *, kernel: int = 1, stride: int = 1
) -> Any:
    layer = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, name=conv
    )
    return _batch_norm(layer(x), batch_norm)


def _inverted_residual(x: Any, block: _Block) -> Any:
    """Expand, filter each channel by itself, project; add the input where the shapes agree."""
    inputs, name = x, block.name
    if block.expansion > 1:
        expanded = x.shape[-1] * block.expansion
        x = _conv_bn(x, expanded, f"{name}_expand_conv", f"{name}_expand_bn")
        x = _relu6(x, f"{name}_expand_activation")
    depthwise = keras.layers.DepthwiseConv2D(
        block.kernel, strides=block.stride, padding="same", use_bias=False, name=f"{name}_dwconv"
    )
    x = _relu6(_batch_norm(depthwise(x), f"{name}_bn"), f"{name}_activation")
    x = _conv_bn(x, block.filters, f"{name}_project_conv", f"{name}_project_bn")
    if block.stride == 1 and inputs.shape[-1] == block.filters:
        x = keras.layers.Add(name=f"{name}_add")([x, inputs])
    return x


def load_state_dict(model: keras.Model, state: Mapping[str, NDArray[Any]]) -> None:
    """Put the arrays of a PyTorch state dict into a model of `build_efficientnet_lite`.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    state : mapping of str to ndarray
        With the names of `EfficientNet-PyTorch`; the classifier `_fc` may be there or not when
        the model has no top.

    Raises
    ------
    BackboneError
        When an array is missing, has another shape than its layer, or is left over.
    """
    left = {
        name: array for name, array in state.items() if not name.endswith(".num_batches_tracked")
    }
    for layer, prefix in _torch_prefixes(model):
        _set_layer(layer, prefix, left)
    if not any(layer.name == "predictions" for layer in model.layers):
        left = {name: array for name, array in left.items() if not name.startswith("_fc.")}
    if left:
        raise BackboneError(
            f"the weights do not belong to {model.name}: {len(left)} arrays are left over, the"
            f" first is {next(iter(left))!r}. Expected: the weights of exactly this network."
        )


def _torch_prefixes(model: keras.Model) -> list[tuple[Any, str]]:
    """Pair each layer that has weights with its name in the state dict."""
    parts = {
        "expand_conv": "_expand_conv",
        "expand_bn": "_bn0",
        "dwconv": "_depthwise_conv",
        "bn": "_bn1",
        "project_conv": "_project_conv",
        "project_bn": "_bn2",
    }
    outside = {
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "top_conv": "_conv_head",
        "top_bn": "_bn1",
        "predictions": "_fc",
    }
    pairs, order = [], list[str]()
    for layer in (layer for layer in model.layers if layer.weights):
        block, _, part = layer.name.partition("_")
        if layer.name in outside:
            pairs.append((layer, outside[layer.name]))
            continue
        if block not in order:
            order.append(block)
        pairs.append((layer, f"_blocks.{order.index(block)}.{parts[part]}"))
    return pairs


def _set_layer(layer: Any, prefix: str, left: dict[str, NDArray[Any]]) -> None:
    """Move one layer's arrays out of `left` into the layer, after checking every shape."""
    # Batch normalisation has four arrays, a dense layer two, a convolution here one.
    names = ("weight", "bias", "running_mean", "running_var")[: len(layer.weights)]
    arrays = []
    for name, variable in zip(names, layer.weights, strict=True):
        array = left.pop(f"{prefix}.{name}", None)
        if array is None:
            raise BackboneError(f"the weights lack {prefix}.{name}, which layer {layer.name} needs")
        array = _to_keras_order(layer, array)
        if array.shape != tuple(variable.shape):
            raise BackboneError(
                f"the weights do not fit layer {layer.name}: {prefix}.{name} has the shape"
                f" {array.shape}, expected {tuple(variable.shape)}"
            )
        arrays.append(array)
    layer.set_weights(arrays)


def _to_keras_order(layer: Any, array: NDArray[Any]) -> NDArray[Any]:
    """Turn (out, in, h, w) into Keras's (h, w, in, out), and (out, in) into (in, out)."""
    if array.ndim == 4 and isinstance(layer, keras.layers.DepthwiseConv2D):
        return np.transpose(array, (2, 3, 0, 1))
    if array.ndim == 4:
        return np.transpose(array, (2, 3, 1, 0))
    return array.T

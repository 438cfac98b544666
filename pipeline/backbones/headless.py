"""Turn specs and their weights into one network: uint8 images in, transfer values out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pipeline.backbones.efficientnet_lite import build_efficientnet_lite
from pipeline.backbones.loading import load
from pipeline.backbones.network import Network, Part
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import PREPROCESSINGS, BackboneSpec, Preprocessing
from pipeline.backbones.weights import WeightsFile
from pipeline.config import POOLINGS, check_choice
from pipeline.errors import ConfigError

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def build_network(network: Network, *, precision: str = "float32") -> keras.Model:
    """Build a whole network: its backbones side by side, each on images of its own.

    Parameters
    ----------
    network : Network
    precision : str
        As for `build_headless`.

    Returns
    -------
    keras.Model
        From a list of uint8 arrays (b, image_size, image_size, 3), RGB 0-255, one for each part,
        to float32 (b, d).

    Raises
    ------
    ConfigError, BackboneError
        As `build_headless`.
    """
    # First all of them: each build begins to number nameless layers anew.
    backbones = [
        build_whole(part, precision=precision)
        if network.top
        else build_headless(
            part.spec,
            part.weights,
            image_size=part.image_size,
            layers=part.layers,
            pooling=network.pooling,
            precision=precision,
        )
        for part in network.parts
    ]
    inputs, values = [], []
    for number, (part, backbone) in enumerate(zip(network.parts, backbones, strict=True)):
        backbone.name = f"headless_{number}"
        side = part.image_size
        images = keras.Input((side, side, 3), dtype="uint8", name=f"images_{number}")
        inputs.append(images)
        values.append(
            _view_twice(backbone, images, network) if network.mirrored else [backbone(images)]
        )
    # All of the image, then all of the mirror image.
    ordered = [view for views in zip(*values, strict=True) for view in views]
    joined = keras.layers.Concatenate(dtype="float32")(ordered) if len(ordered) > 1 else ordered[0]
    return keras.Model(inputs, joined, name="network")


def find_widths(model: keras.Model, network: Network) -> tuple[int, ...]:
    """Return how many values of a row each part gives, view by view; see `Engine.widths`.

    Parameters
    ----------
    model : keras.Model
        `build_network(network)`.
    network : Network
    """
    parts = range(len(network.parts))
    widths = tuple(int(model.get_layer(f"headless_{n}").output_shape[1]) for n in parts)
    return widths * network.views


def _view_twice(backbone: keras.Model, images: Any, network: Network) -> list[Any]:
    """Return the values of images and mirror images, or their average, computed in one batch."""
    both = keras.ops.concatenate([images, keras.ops.flip(images, axis=2)], axis=0)
    views = keras.ops.split(backbone(both), 2, axis=0)
    return views if network.views == 2 else [(views[0] + views[1]) / 2]


def build_headless(
    spec: BackboneSpec,
    weights: WeightsFile,
    *,
    image_size: int | None = None,
    layers: Sequence[str] = (),
    pooling: str = "avg",
    precision: str = "float32",
) -> keras.Model:
    """Build a backbone without its top, its preprocessing inside.

    Parameters
    ----------
    spec : BackboneSpec
    weights : WeightsFile
        From `resolve_weights`.
    image_size : int or None
        Side of the square input in pixels; None is the backbone's own.
    layers : sequence of str
        Names of the layers whose outputs are wanted, in the order they are joined; empty for the
        last one.
    pooling : str
        "avg" or "max" over the picture's area, or "none": flattened, row by row.
    precision : str
        "float32", or "bfloat16" for products in bfloat16 with float32 weights and results.

    Returns
    -------
    keras.Model
        From uint8 (b, image_size, image_size, 3), RGB 0-255, to float32 (b, d); d is
        `model.output_shape[1]`.

    Raises
    ------
    ConfigError
        When the size is too small, or a layer, the pooling or the precision is unknown.
    BackboneError
        When the weights do not belong to the backbone.
    """
    check_choice("--pooling", pooling, POOLINGS)
    check_choice("--precision", precision, tuple(_POLICIES))
    with global_settings(_POLICIES[precision]):
        images, taps = _build_taps(spec, weights, image_size, layers, pooling)
        values = [_to_vector(tap, pooling) for tap in taps]
        joined = keras.layers.Concatenate(dtype="float32")(values) if len(values) > 1 else values[0]
        return keras.Model(images, joined, name="headless")


def build_whole(part: Part, *, precision: str = "float32") -> keras.Model:
    """Build a backbone with its own top, its preprocessing inside.

    Parameters
    ----------
    part : Part
        Its spec from `tops.top_spec`, and the weights of that.
    precision : str
        As for `build_headless`.

    Returns
    -------
    keras.Model
        From uint8 (b, image_size, image_size, 3), RGB 0-255, to float32 (b, 1000), the
        probabilities of ImageNet's classes.

    Raises
    ------
    BackboneError
        When the weights do not belong to the backbone.
    """
    check_choice("--precision", precision, tuple(_POLICIES))
    with global_settings(_POLICIES[precision]):
        side = part.image_size
        backbone = _build_with_top(part.spec, side)
        load(backbone, part.spec, part.weights, has_top=True)
        images = keras.Input((side, side, 3), dtype="uint8", name="images")
        logits = backbone(preprocess(images, PREPROCESSINGS[part.spec.preprocessing]))
        # In float32 also where the network computes in bfloat16.
        return keras.Model(images, keras.layers.Softmax(dtype="float32")(logits), name="whole")


def build_maps(part: Part, *, precision: str = "float32") -> keras.Model:
    """Build a backbone that ends before the pooling.

    Parameters
    ----------
    part : Part
    precision : str
        As for `build_headless`.

    Returns
    -------
    keras.Model
        From uint8 (b, image_size, image_size, 3), RGB 0-255, to a list with what each layer gives,
        in the order in which the values are joined: float32 (b, h, w, c), or (b, d) where there
        is nothing to pool.

    Raises
    ------
    ConfigError, BackboneError
        As `build_headless`.
    """
    check_choice("--precision", precision, tuple(_POLICIES))
    with global_settings(_POLICIES[precision]):
        images, taps = _build_taps(part.spec, part.weights, part.image_size, part.layers, "avg")
        linear = [keras.layers.Activation("linear", dtype="float32")(tap) for tap in taps]
        return keras.Model(images, linear, name="maps")


def build_bare(
    spec: BackboneSpec,
    weights: WeightsFile | None,
    *,
    image_size: int,
    precision: str = "float32",
) -> keras.Model:
    """Build a backbone with nothing before or behind it, to be trained.

    It is the network whose weights a file for `resolve_weights` holds.

    Parameters
    ----------
    spec : BackboneSpec
    weights : WeightsFile or None
        None leaves the weights as Keras draws them, for who only wants to know the layers.
    image_size : int
        Side of the square input in pixels.
    precision : str
        As for `build_headless`.

    Returns
    -------
    keras.Model
        From float32 (b, image_size, image_size, 3), preprocessed, to what its last layer gives:
        (b, h, w, c), or (b, d) where the network goes on after the pooling.

    Raises
    ------
    BackboneError
        When the weights do not belong to the backbone.
    """
    check_choice("--precision", precision, tuple(_POLICIES))
    with global_settings(_POLICIES[precision]):
        backbone = _build_backbone(spec, image_size, "avg")
        if weights is not None:
            load(backbone, spec, weights)
        return backbone


def _build_taps(
    spec: BackboneSpec,
    weights: WeightsFile,
    image_size: int | None,
    layers: Sequence[str],
    pooling: str,
) -> tuple[Any, list[Any]]:
    """Build a backbone with its weights, under `global_settings`.

    Returns
    -------
    images : KerasTensor
        uint8 (b, image_size, image_size, 3).
    taps : list of KerasTensor
        What its layers give: (b, h, w, c), or (b, d).
    """
    side = spec.input_size if image_size is None else image_size
    if side < spec.smallest_size:
        raise ConfigError(
            f"--image-size {side} is too small for {spec.name}: it needs at least"
            f" {spec.smallest_size}, and was trained on {spec.input_size}."
        )
    backbone = _build_backbone(spec, side, pooling)
    load(backbone, spec, weights)
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    pixels = preprocess(images, PREPROCESSINGS[spec.preprocessing])
    outputs = _outputs(backbone, spec, layers)
    taps: list[Any] = keras.Model(backbone.input, outputs)(pixels)
    return images, taps


@contextmanager
def global_settings(policy: str) -> Iterator[None]:
    """Build under our own dtype and image layout, whatever a user's keras.json says.

    Keras numbers the layers that have no name of their own through all networks of a process:
    counting starts anew, so that `re_lu` is the same layer whatever was built before.
    """
    before = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.backend.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_image_data_format(before[1])


def preprocess(images: Any, rule: Preprocessing) -> Any:
    """Turn 0-255 RGB images into what the network was trained on (see `Preprocessing`)."""
    x = keras.ops.cast(images, "float32")
    if rule.channels == "BGR":
        x = keras.ops.stack([x[..., channel] for channel in (2, 1, 0)], axis=-1)
    if rule.scale is not None:
        x = x / rule.scale
    if rule.mean is not None:
        x = x - np.array(rule.mean, "float32")
    if rule.std is not None:
        x = x / np.array(rule.std, "float32")
    return x


def _build_backbone(spec: BackboneSpec, side: int, pooling: str) -> keras.Model:
    """Build the bare network. `weights=None` keeps Keras from downloading anything by itself."""
    if spec.is_lite:
        return build_efficientnet_lite(spec.constructor, image_size=side)
    constructor = getattr(keras.applications, spec.constructor)
    # Where the network goes on after the pooling, Keras has to pool.
    inside = pooling if spec.pools_inside and pooling != "none" else None
    return constructor(weights=None, include_top=False, input_shape=(side, side, 3), pooling=inside)


def _build_with_top(spec: BackboneSpec, side: int) -> keras.Model:
    """Build the bare network with its top, up to the logits."""
    if spec.is_lite:
        return build_efficientnet_lite(spec.constructor, image_size=side, include_top=True)
    constructor = getattr(keras.applications, spec.constructor)
    return constructor(
        weights=None, include_top=True, input_shape=(side, side, 3), classifier_activation=None
    )


def _outputs(backbone: keras.Model, spec: BackboneSpec, layers: Sequence[str]) -> list[Any]:
    """Return the tensors that are asked for by their layers' names."""
    if not layers:
        return [backbone.output]
    names = [layer.name for layer in backbone.layers]
    for layer in layers:
        if layer not in names:
            close = difflib.get_close_matches(layer, names, n=3)
            hint = f"Did you mean {', '.join(close)}?" if close else f"The last are {names[-3:]}."
            raise ConfigError(f"--layer {layer!r} is not a layer of {spec.name}. {hint}")
    outputs = [backbone.get_layer(layer).output for layer in layers]
    for layer, output in zip(layers, outputs, strict=True):
        if len(output.shape) not in (2, 4):
            raise ConfigError(
                f"--layer {layer!r} of {spec.name} gives an array of shape {output.shape}, which is"
                " neither a picture nor a vector."
            )
    return outputs


def _to_vector(tap: Any, pooling: str) -> Any:
    """Turn (b, h, w, c) into float32 (b, d); (b, d) stays as it is."""
    # The pooling layers add up in float32 also where the network computes in bfloat16.
    if len(tap.shape) == 2:
        return keras.layers.Activation("linear", dtype="float32")(tap)
    if pooling == "avg":
        return keras.layers.GlobalAveragePooling2D(dtype="float32")(tap)
    if pooling == "max":
        return keras.layers.GlobalMaxPooling2D(dtype="float32")(tap)
    return keras.layers.Flatten(dtype="float32")(tap)

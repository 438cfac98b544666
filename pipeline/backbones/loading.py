"""Put weights into a network: its own file's, a user's, or drawn ones; never a model in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.backbones.efficientnet_lite import load_state_dict
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import BackboneSpec
from pipeline.backbones.torch_weights import read_state_dict
from pipeline.backbones.weights import RANDOM_SEED, WeightsFile
from pipeline.errors import BackboneError

# Deviation of ImageNet's 0-1 pixels, red, green, blue.
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], "float32")


def load(
    backbone: keras.Model, spec: BackboneSpec, weights: WeightsFile, *, has_top: bool = False
) -> None:
    """Fill a network with its weights.

    Parameters
    ----------
    backbone : keras.Model
        Bare: nothing before or behind it. Changed in place.
    spec : BackboneSpec
    weights : WeightsFile
        From `resolve_weights`.
    has_top : bool
        Whether the network ends in its own top.

    Raises
    ------
    BackboneError
        When the weights do not belong to the backbone, or are not finite numbers.
    """
    if weights.path is None:
        _randomise(backbone)
    elif weights.path.suffix == ".pth":
        load_state_dict(backbone, read_state_dict(weights.path))
    else:
        _load_hdf5(backbone, spec, weights.path, has_top=has_top)
    # ReLU6 turns NaN into 0 on some engines: such a network would look as if it worked.
    if not all(np.isfinite(array).all() for array in backbone.get_weights()):
        raise BackboneError(
            f"{weights.path} holds weights that are not finite numbers. Save them again from a"
            " network that works."
        )


def _randomise(backbone: keras.Model) -> None:
    """Draw every kernel from N(0, 1 / fan_in); scales, offsets and statistics stay at 1 and 0.

    Drawn by NumPy, because each Keras backend has another generator: one seed is one network.
    """
    rng = np.random.default_rng(RANDOM_SEED)
    for variable in backbone.weights:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            # A depthwise kernel is (h, w, channels, 1): each output sees one channel only.
            fan_in = math.prod(shape[:2] if shape[-1] == 1 else shape[:-1])
            kernel = rng.standard_normal(shape, dtype="float32") / np.float32(math.sqrt(fan_in))
            variable.assign(kernel)


def _load_hdf5(backbone: keras.Model, spec: BackboneSpec, path: Path, *, has_top: bool) -> None:
    """Load Keras's or a user's HDF5 weights, layer by layer and never the model in it."""
    try:
        _check_contents(path, largest=max(math.prod(v.shape) for v in backbone.weights))
        backbone.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as exc:
        reason = str(exc).strip().split("\n")[0]
        raise BackboneError(
            f"{path} cannot be loaded into {spec.name}: {reason} Expected: the weights of"
            f" keras.applications.{spec.constructor}(include_top={has_top})."
        ) from exc
    _fold_efficientnet_scaling(backbone)


def _check_contents(path: Path, *, largest: int) -> None:
    """Refuse an HDF5 file that leads to other files, or whose arrays would fill the memory.

    Parameters
    ----------
    path : Path
    largest : int
        Numbers in the largest array of the network.
    """
    with h5py.File(path, "r") as file:
        groups: list[Any] = [file]
        seen = {h5py.h5o.get_info(file.id).addr}  # a group may be linked to from within itself
        while groups:
            group = groups.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(
                        f"it has a link at {group.name}/{name}, which is not followed."
                    )
                item = group[name]
                address = h5py.h5o.get_info(item.id).addr
                if isinstance(item, h5py.Group):
                    groups += [] if address in seen else [item]
                elif isinstance(item, h5py.Dataset):
                    _check_array(item, largest=largest)
                seen.add(address)


def _check_array(array: h5py.Dataset, *, largest: int) -> None:
    if array.external or array.is_virtual:
        raise ValueError(f"it keeps {array.name} in another file, which is not read.")
    if (array.size or 0) > largest:
        raise ValueError(
            f"{array.name} has {array.size:,} numbers, the network's largest array {largest:,}."
        )


def _fold_efficientnet_scaling(backbone: keras.Model) -> None:
    """Give EfficientNetB0-B7 the scaling that only `weights="imagenet"` builds.

    Keras's files carry the deviation s where `Normalization` expects the variance, so that it
    computes (x - mean) / sqrt(s), and `weights="imagenet"` adds a layer that divides by sqrt(s)
    once more. A variance of s² is the same in one step. A file whose variance is another one was
    made without that layer and is left as it is.

    References
    ----------
    https://github.com/tensorflow/tensorflow/issues/49930
    """
    for layer in backbone.layers:
        # ConvNeXt's and EfficientNetV2's have their figures built in, and no weights.
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            mean, variance, count = (np.array(array) for array in layer.get_weights())
            if np.allclose(variance, _IMAGENET_STD, rtol=1e-3, atol=0):
                layer.set_weights([mean, variance * _IMAGENET_STD, count])
                layer.finalize_state()

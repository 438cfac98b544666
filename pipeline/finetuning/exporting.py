"""Turn a trained network into a weights file that extract takes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from pipeline.backbones.headless import build_bare
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import BackboneSpec
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import FinetuneError

_NAME = "network.weights.h5"


def pack_weights(backbone: keras.Model, spec: BackboneSpec, *, image_size: int) -> bytes:
    """Return the content of a backbone's weights file, once it was read back.

    Keras finds weights by the order of the layers, and a file that came out in another order would
    load without a word: so it is loaded into a new network, and every number compared.

    Parameters
    ----------
    backbone : keras.Model
        From `build_bare`, trained.
    spec : BackboneSpec
    image_size : int

    Raises
    ------
    FinetuneError
        If what is read is not what was written, or a weight is not finite.
    """
    weights = backbone.get_weights()
    if not all(np.isfinite(array).all() for array in weights):
        raise FinetuneError(
            f"Training {spec.name} gave weights that are not finite numbers. Take a smaller "
            "--learning-rate."
        )
    with tempfile.TemporaryDirectory(prefix="finetune-") as folder:
        path = Path(folder) / _NAME
        backbone.save_weights(path)
        again = build_bare(spec, resolve_weights(spec, str(path)), image_size=image_size)
        found = again.get_weights()
        is_same = len(found) == len(weights) and all(
            np.array_equal(a, b) for a, b in zip(found, weights, strict=False)
        )
        if not is_same:
            raise FinetuneError(
                f"The weights of {spec.name} are other ones after they are read back, so they were "
                "not kept. This is a bug of this package or of Keras: please report it."
            )
        return path.read_bytes()

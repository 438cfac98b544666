"""Changes that leave an image what it is: it is never seen the same twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.backbones.quiet_keras import keras

_SHIFT = 0.1
_ZOOM = (-0.2, 0.1)
_TURN = 15 / 360
_COLOUR = 0.2


def make_distortions(kinds: Sequence[str], *, seed: int) -> list[Any]:
    """Return layers that change 0-255 RGB images at random while a network is trained.

    Parameters
    ----------
    kinds : sequence of str
        hflip: mirrored left to right, every other image. shift: by up to a tenth of the side, the
        margin reflected. zoom: from a fifth closer to a tenth further. rotate: up to 15 degrees to
        either side. colour: brightness and contrast by up to a fifth.
    seed : int
    """
    layers = keras.layers
    common = {"data_format": "channels_last", "dtype": "float32"}
    made: dict[str, list[Any]] = {
        "hflip": [layers.RandomFlip("horizontal", seed=seed + 1, **common)],
        "shift": [layers.RandomTranslation(_SHIFT, _SHIFT, seed=seed + 2, **common)],
        "zoom": [layers.RandomZoom(_ZOOM, seed=seed + 3, **common)],
        "rotate": [layers.RandomRotation(_TURN, seed=seed + 4, **common)],
        "colour": [
            layers.RandomBrightness(_COLOUR, seed=seed + 5, dtype="float32"),
            layers.RandomContrast(_COLOUR, value_range=(0, 255), seed=seed + 6, dtype="float32"),
        ],
    }
    return [layer for kind in kinds for layer in made[kind]]

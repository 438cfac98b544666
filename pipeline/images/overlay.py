"""A photo with colours laid over it: orange where something speaks for, blue where against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.images.codec import encode_webp

FOR, AGAINST = (230, 97, 1), (33, 102, 172)
"""Orange and blue, of ColorBrewer's PuOr and RdBu, which the colour-blind tell apart."""

QUALITY = 80
_STRONGEST = 0.95  # share of the colour, in which the photo's light and shade stay
_POWER = 0.8  # of the heat: below 1, the weak can be told from nothing
_DARKEST, _LIGHTEST = 0.2, 0.78  # to which light and shade are kept, so that black takes colour
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float64], *, limit: float) -> bytes:
    """Return a WebP file of a photo in grey, coloured by what speaks for and against.

    Parameters
    ----------
    pixels : uint8 ndarray of shape (height, width, 3)
        RGB, 0-255.
    heat : float ndarray of shape (h, w)
        Over the whole photo, of any grid: positive for, negative against.
    limit : float
        Size of the heat at which the colour is at its strongest; greater than 0.
    """
    height, width = pixels.shape[:2]
    light = (pixels @ np.array(_LUMA))[..., None] / 255
    strength = np.clip(_enlarge(heat, width, height) / limit, -1, 1)[..., None]
    share = _STRONGEST * np.abs(strength) ** _POWER
    coloured = np.where(strength > 0, _tint(light, FOR), _tint(light, AGAINST))
    mixed = (1 - share) * light + share * coloured
    return encode_webp(np.rint(255 * mixed).astype(np.uint8), quality=QUALITY)


def _enlarge(heat: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    image = Image.fromarray(heat.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float64)


def _tint(light: NDArray[np.float64], colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return a colour in light and shade: from black over the colour itself to white.

    Parameters
    ----------
    light : float64 ndarray of shape (height, width, 1)
        0-1.
    colour : tuple of int
        Red, green, blue, 0-255.
    """
    level = _DARKEST + (_LIGHTEST - _DARKEST) * light
    own = np.array(colour) / 255
    middle = float(own @ np.array(_LUMA))
    darker = own * (level / middle)
    lighter = 1 - (1 - own) * ((1 - level) / (1 - middle))
    tinted: NDArray[np.float64] = np.where(level < middle, darker, lighter)
    return tinted

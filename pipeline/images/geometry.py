"""How an image of any shape becomes the square that a network takes, or a picture to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from PIL import Image

PAD_COLOUR = (124, 116, 104)  # the ImageNet mean: close to zero after every preprocessing
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}
GAP = 3
"""What an image is quickly shrunk to before it is resized, in multiples of the size it gets.

Of an image that is twice as large as that or more, the bicubic or bilinear filter need not read
every pixel: averages of 2 × 2 pixels or more are resized instead, and a JPEG is not even decoded in
full (see `codec`). The centre squares of 210 photographs, made 32 to 96 pixels large, then differ
from those made without this by 0.23 grey levels of 255 on average (0.28 if they are not JPEGs), the
worst photograph by 1.6 on average, the worst pixel by 16 (25 among padded ones). With a gap of 2 it
is 0.38, 2.6 and 21, with 1.5 it is 0.63, 5.4 and 28, with 1 it is 1.2, 7.7 and 58. Pillow's
`thumbnail` has 2, and its documentation says that 3 can hardly be told from a fair resize.
"""

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""


class Shape(Protocol):
    """What an image is brought to; equal ones are hashed alike and give the same pixels."""

    def spare_scale(self, width: int, height: int) -> float:
        """Return how many times smaller an image may be decoded; below 1, not at all."""
        ...

    def apply(self, image: Image.Image, extent: Box | None = None) -> Image.Image:
        """Return an RGB `image` of any size in this shape; see `Geometry.apply`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How an image of any shape becomes a square one.

    Attributes
    ----------
    size : int
        Side of the result, in pixels.
    resize : str
        `crop` takes the centre square, `squash` ignores the aspect ratio, `pad` fits the whole
        image into the square and fills the rest with the ImageNet mean colour.
    crop_fraction : float
        Share of the shorter side that `crop` keeps, in (0, 1].
    interpolation : str
        Key of `RESAMPLING`. Pillow's filters widen with the scale, so shrinking is antialiased;
        `nearest` takes single pixels of the full image instead.
    """

    size: int
    resize: str = "crop"
    crop_fraction: float = 1.0
    interpolation: str = "bicubic"

    def spare_scale(self, width: int, height: int) -> float:
        """Return how many times smaller an image may be decoded; below 1, not at all.

        `GAP` times the pixels that the result needs are left.
        """
        if self.interpolation == "nearest":
            return 1.0
        left, top, right, bottom = self._choose_part(width, height)
        columns, rows = self._choose_size(width, height)
        return min((right - left) / columns, (bottom - top) / rows) / GAP

    def shrinks(self, width: int, height: int) -> bool:
        """Tell whether an image is quickly shrunk before it is resized; see `GAP`."""
        if self.interpolation == "nearest":
            return False
        left, top, right, bottom = self._choose_part(width, height)
        columns, rows = self._choose_size(width, height)
        return max((right - left) / columns, (bottom - top) / rows) >= 2 * GAP

    def apply(self, image: Image.Image, extent: Box | None = None) -> Image.Image:
        """Return an RGB `image` of any size as a square one of `size` pixels.

        Parameters
        ----------
        image : Image
        extent : Box
            Where the image's content lies within its pixels, if it does not fill the last of them.
        """
        x, y, right, bottom = extent or (0, 0, *image.size)
        part = self._choose_part(right - x, bottom - y)
        inner = self._choose_size(right - x, bottom - y)
        resized = image.resize(
            inner,
            RESAMPLING[self.interpolation],
            box=(x + part[0], y + part[1], x + part[2], y + part[3]),
            reducing_gap=GAP,
        )
        square = (self.size, self.size)
        if inner == square:
            return resized
        padded = Image.new("RGB", square, PAD_COLOUR)
        left, top = (round((self.size - side) / 2) for side in inner)
        padded.paste(resized, (left, top))
        return padded

    def _choose_part(self, width: float, height: float) -> Box:
        """Return which part of a `width` × `height` image is taken."""
        if self.resize != "crop":
            return 0, 0, width, height
        side = min(width, height) * self.crop_fraction
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def _choose_size(self, width: float, height: float) -> tuple[int, int]:
        """Return how many columns and rows of the result that part takes up."""
        if self.resize != "pad":
            return self.size, self.size
        longest = max(width, height)
        columns, rows = (max(1, round(s / longest * self.size)) for s in (width, height))
        return columns, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AsDecoded:
    """The whole picture, every pixel of it, as a program without this package decodes it."""

    def spare_scale(self, _width: int, _height: int) -> float:
        """Return 1: it is decoded in full."""
        return 1.0

    def apply(self, image: Image.Image, _extent: Box | None = None) -> Image.Image:
        """Return an RGB `image` as it is."""
        return image


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The whole picture, its aspect kept, for people to look at; a small one is not enlarged.

    Attributes
    ----------
    side : int
        Of the square that it fits into, in pixels.
    """

    side: int

    def spare_scale(self, width: int, height: int) -> float:
        """Return how many times smaller an image may be decoded; see `Geometry.spare_scale`."""
        columns, rows = self._choose_size(width, height)
        return min(width / columns, height / rows) / GAP

    def apply(self, image: Image.Image, extent: Box | None = None) -> Image.Image:
        """Return an RGB `image` fitted into the square; parameters as of `Geometry.apply`."""
        left, top, right, bottom = box = extent or (0, 0, *image.size)
        size = self._choose_size(right - left, bottom - top)
        if size == image.size:
            return image
        return image.resize(size, RESAMPLING["bicubic"], box=box, reducing_gap=GAP)

    def _choose_size(self, width: float, height: float) -> tuple[int, int]:
        scale = min(1.0, self.side / max(width, height))
        columns, rows = (max(1, round(length * scale)) for length in (width, height))
        return columns, rows

"""How an image of any shape becomes the square one that a network takes."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageOps

PAD_COLOUR = (124, 116, 104)  # the ImageNet mean: close to zero after every preprocessing
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


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
        Key of `RESAMPLING`. Pillow's filters widen with the scale, so shrinking is antialiased.
    """

    size: int
    resize: str = "crop"
    crop_fraction: float = 1.0
    interpolation: str = "bicubic"

    def apply(self, image: Image.Image) -> Image.Image:
        """Return an RGB `image` of any size as a square one of `size` pixels."""
        square = (self.size, self.size)
        resample = RESAMPLING[self.interpolation]
        if self.resize == "squash":
            return image.resize(square, resample)
        if self.resize == "pad":
            return ImageOps.pad(image, square, resample, color=PAD_COLOUR)
        width, height = image.size
        side = min(width, height) * self.crop_fraction
        left, top = (width - side) / 2, (height - side) / 2
        return image.resize(square, resample, box=(left, top, left + side, top + side))

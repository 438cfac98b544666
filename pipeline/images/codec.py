"""From the bytes of one image file to RGB pixels and back."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.errors import ImageDecodeError
from pipeline.images.containers import (
    begins_like_image,
    contradicts_name,
    count_gif_frames,
    has_bad_checksum,
    has_broken_exif,
    has_trailing_bytes,
    is_in_one_scan,
    is_other_image,
    is_sixteen_bit_png,
    read_webp_size,
)
from pipeline.images.geometry import GAP, Box, Geometry, Shape
from pipeline.images.memory import PixelBudget
from pipeline.records import Oddity, Status

ALLOWED_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "PPM")
MAX_PIXELS = 100_000_000
DECODER = f"pillow, JPEG scaled by DCT and others averaged to {GAP} times the size"
"""The name of the rules here and in `geometry`: to be changed whenever a pixel changes."""
STRIP_PIXELS = 4_000_000
"""Larger images are converted to RGB in strips, so that no third copy of them is made."""
WEBP_METHOD = 4
"""Effort of 0-6. Photographs 64 pixels wide take 0.3 ms and 805 bytes of quality 75; of 2 they take
0.2 ms and 4 % more bytes, and are 0.2 dB worse; of 6, 0.8 ms, 5 % fewer bytes, and 0.2 dB worse."""

_BUDGET = PixelBudget(MAX_PIXELS)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation (as in Pillow's `exif_transpose`)."""

# The turns that bring the image's far end to the left, to the top, and that swap width and height.
_FROM_THE_RIGHT = {_TURNS[orientation] for orientation in (2, 3, 6, 7)}
_FROM_THE_BOTTOM = {_TURNS[orientation] for orientation in (3, 4, 7, 8)}
_ONTO_ITS_SIDE = {_TURNS[orientation] for orientation in (5, 6, 7, 8)}

_MODE_ODDITIES = {
    "1": Oddity.BILEVEL,
    "P": Oddity.PALETTE,
    "PA": Oddity.PALETTE,
    "L": Oddity.GREY,
    "LA": Oddity.GREY,
    "CMYK": Oddity.CMYK,
}

# Pillow only warns between one and two times its own limit, through a filter that threads share.
# `_open` refuses everything over MAX_PIXELS before a single pixel is decoded.
Image.MAX_IMAGE_PIXELS = None
# glibc keeps smaller blocks for the thread that freed them: each decoding thread would hold on to
# the memory of the largest image it ever saw. Over 32 MB a block goes back to the system at once.
Image.core.set_block_size(64 * 2**20)  # type: ignore[attr-defined]
# Pillow's other warnings are about damaged EXIF, which is counted instead.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """One image as the networks take it, and what was unusual about its file.

    Attributes
    ----------
    pixels : tuple of uint8 ndarray of shape (height, width, 3)
        RGB, 0-255; one for each geometry, and the same array for equal ones.
    oddities : Oddity
        Flags.
    size : tuple of (int, int)
        Width and height of the whole image once it is upright, in pixels.
    """

    pixels: tuple[NDArray[np.uint8], ...]
    oddities: Oddity
    size: tuple[int, int]


def decode_image(data: bytes, geometry: Geometry) -> NDArray[np.uint8]:
    """Return only the pixels of `examine_image`, for one geometry."""
    return examine_image(data, [geometry]).pixels[0]


def examine_image(data: bytes, geometries: Sequence[Shape], *, name: str = "") -> DecodedImage:
    """Decode one image file, bring it to the wanted shapes, and tell what was unusual about it.

    Transparency is composited on white, EXIF orientation is applied, 16-bit grey is scaled to
    8 bits, the first frame of an animation is taken. A JPEG that is much larger than all
    geometries need is decoded at 1/2, 1/4 or 1/8 of its size: `geometry.GAP` tells what is left,
    and how little this changes. However many threads decode, what they hold has no more than
    `MAX_PIXELS` pixels together.

    Parameters
    ----------
    data : bytes
        The whole file.
    geometries : sequence of Shape
        At least one; the image is decoded once for all of them.
    name : str
        Of the file: to see whether its extension tells the format.

    Raises
    ------
    ImageDecodeError
        If the bytes are not a whole image of an allowed format; `reason` is a `Status`.
    """
    width, height = read_webp_size(data)
    if width:
        _check_size(width, height)
        with _BUDGET.hold(width * height):
            return _examine(_open(data), data, geometries, name, (width, height))
    image = _open(data)
    size = image.size
    n_pixels = image.width * image.height
    exact_size = _draft(image, geometries)
    if exact_size and is_in_one_scan(data):
        n_pixels = image.width * image.height
    with _BUDGET.hold(n_pixels):
        return _examine(image, data, geometries, name, size, exact_size)


def encode_webp(image: NDArray[np.uint8], *, quality: int) -> bytes:
    """Encode an array as a WebP file: a third smaller than a JPEG file as good as it.

    Parameters
    ----------
    image : uint8 ndarray of shape (height, width, 3)
        RGB, 0-255.
    quality : int
        0-100, as libwebp has it.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="WEBP", quality=quality, method=WEBP_METHOD)
    return buffer.getvalue()


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode an array as a PNG file.

    Parameters
    ----------
    image : uint8 ndarray of shape (height, width, 3) or (height, width)
        RGB or grey, 0-255.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _open(data: bytes) -> Image.Image:
    """Open an allowed image without decoding its pixels."""
    try:
        image = Image.open(io.BytesIO(data), formats=ALLOWED_FORMATS)
    except UnidentifiedImageError as exc:
        raise ImageDecodeError(str(exc), reason=_why_unidentified(data)) from exc
    except Exception as exc:
        raise _translate(exc) from exc
    _check_size(image.width, image.height)
    return image


def _why_unidentified(data: bytes) -> Status:
    if begins_like_image(data):
        return Status.CORRUPT
    return Status.FORMAT_NOT_ALLOWED if is_other_image(data) else Status.NOT_AN_IMAGE


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        message = f"{width} × {height} pixels; at most {MAX_PIXELS:,} are decoded"
        raise ImageDecodeError(message, reason=Status.TOO_LARGE)


def _translate(exc: Exception) -> ImageDecodeError:
    """Pass on what a decoder raised: OSError, SyntaxError, ValueError, struct.error and more."""
    if isinstance(exc, MemoryError) or str(exc).startswith("out of memory"):
        message = "there is not enough memory to decode it"
        return ImageDecodeError(message, reason=Status.UNREADABLE)
    return ImageDecodeError(str(exc), reason=Status.CORRUPT)


def _draft(image: Image.Image, geometries: Sequence[Shape]) -> tuple[float, float] | None:
    """Have a JPEG decoded at a fraction of its size if that is enough for all geometries.

    Its scans are read to their end all the same, so that damage is found at any size.

    Returns
    -------
    (width, height) or None
        Exactly what it is scaled to, of which the size in pixels is the ceiling; None if it is not.
    """
    spare = min(geometry.spare_scale(*image.size) for geometry in geometries)
    scale = next((scale for scale in (8, 4, 2) if scale <= spare), 1)
    if scale == 1:
        return None
    drafted = image.draft(None, (image.width // scale, image.height // scale))
    return drafted[1][2:] if drafted else None


def _examine(
    image: Image.Image,
    data: bytes,
    geometries: Sequence[Shape],
    name: str,
    size: tuple[int, int],
    exact_size: tuple[float, float] | None = None,
) -> DecodedImage:
    try:
        image.load()
        if image.format == "PNG" and has_bad_checksum(data):
            raise ImageDecodeError("a checksum is wrong", reason=Status.CORRUPT)
        oddities = _find_oddities(image, data, name)
        turn, oddity = _find_turn(image)
        oddities |= oddity
        rgb, is_transparent = _to_rgb(image)
        if rgb is not image:
            image.close()  # of a large one, there may not be room for two
        if is_transparent:
            oddities |= Oddity.TRANSPARENT
        extent: Box = (0, 0, *(exact_size or rgb.size))
        if turn is not None:
            rgb, extent = _turn(rgb, extent, turn)
            size = (size[1], size[0]) if turn in _ONTO_ITS_SIDE else size
        made = {geometry: np.asarray(geometry.apply(rgb, extent)) for geometry in set(geometries)}
        return DecodedImage(tuple(made[geometry] for geometry in geometries), oddities, size)
    except ImageDecodeError:
        raise
    except Exception as exc:
        raise _translate(exc) from exc
    finally:
        image.close()  # before the next image may take its place


def _find_oddities(image: Image.Image, data: bytes, name: str) -> Oddity:
    """Tell what is unusual about a file, but for its EXIF data and its transparency."""
    kind = image.format or ""
    n_frames = count_gif_frames(data) if kind == "GIF" else getattr(image, "n_frames", 1)
    is_deep = kind == "PNG" and is_sixteen_bit_png(data)
    found = _MODE_ODDITIES.get(image.mode, Oddity(0))
    if image.mode.startswith("I"):
        found = Oddity.GREY | Oddity.SIXTEEN_BIT
    for oddity, is_so in (
        (Oddity.SIXTEEN_BIT, is_deep),
        # An MPO is a photograph that others follow, of the other eye or for preview.
        (Oddity.ANIMATED, n_frames > 1 and kind != "MPO"),
        (Oddity.WRONG_EXTENSION, contradicts_name(name, "JPEG" if kind == "MPO" else kind)),
        (Oddity.TRAILING_BYTES, has_trailing_bytes(data, kind)),
    ):
        if is_so:
            found |= oddity
    return found


def _find_turn(image: Image.Image) -> tuple[Image.Transpose | None, Oddity]:
    """Return what makes an image upright. Broken EXIF must not lose a good image."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
        is_broken = turn is None and has_broken_exif(image.info.get("exif", b""))
    except Exception:  # noqa: BLE001
        return None, Oddity.BROKEN_EXIF
    if is_broken:
        return None, Oddity.BROKEN_EXIF
    return turn, Oddity(0) if turn is None else Oddity.ROTATED


def _turn(image: Image.Image, extent: Box, turn: Image.Transpose) -> tuple[Image.Image, Box]:
    """Turn an image, and where its content lies within its pixels, which begins at (0, 0)."""
    turned = image.transpose(turn)
    width, height = extent[2:]
    if turn in _ONTO_ITS_SIDE:
        width, height = height, width
    left = turned.width - width if turn in _FROM_THE_RIGHT else 0
    top = turned.height - height if turn in _FROM_THE_BOTTOM else 0
    return turned, (left, top, left + width, top + height)


def _to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return an RGB image, and whether anything in it was transparent."""
    if image.mode == "F":  # no agreed range: it would come out black
        raise ImageDecodeError("floating-point pixels", reason=Status.FORMAT_NOT_ALLOWED)
    if image.width * image.height <= STRIP_PIXELS or _is_plain_rgb(image):
        return _strip_to_rgb(image)
    rgb, is_transparent = Image.new("RGB", image.size), False
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        strip, some = _strip_to_rgb(image.crop(box))
        rgb.paste(strip, box)
        is_transparent |= some
    return rgb, is_transparent


def _is_plain_rgb(image: Image.Image) -> bool:
    return image.mode == "RGB" and not image.has_transparency_data


def _strip_to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    if _is_plain_rgb(image):
        return image, False
    if image.mode.startswith("I"):
        return _grey_to_rgb(image)
    if not image.has_transparency_data:
        return image.convert("RGB"), False
    layer = image.convert("RGBA")
    if layer.getchannel("A").getextrema() == (255, 255):
        return layer.convert("RGB"), False
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB"), True


def _grey_to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """Scale 16-bit grey: Pillow's own conversion clips everything above 255 to white."""
    grey = np.asarray(image).astype(np.uint32)
    scaled = ((np.minimum(grey, 65535) * 255 + 32767) // 65535).astype(np.uint8)
    clear = grey == image.info.get("transparency", -1)
    scaled[clear] = 255
    return Image.fromarray(scaled).convert("RGB"), bool(clear.any())

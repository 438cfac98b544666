"""From files to uint8 RGB batches. The only owner of Pillow.

Bytes are read once, hashed and decoded from the same buffer, so an image that changed after it
was listed is noticed, and what an extension says about a file does not matter.
"""

from __future__ import annotations

import hashlib
import io
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import ImageDecodeError
from pipeline.records import ImageBatch, Manifest, Status

ALLOWED_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "PPM")
MAX_PIXELS = 100_000_000
PAD_COLOUR = (124, 116, 104)  # the ImageNet mean: close to zero after every preprocessing
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}

# Pillow only warns between one and two times its own limit, through a filter that threads share.
# `_open` refuses everything over MAX_PIXELS before a single pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


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


def decode_image(data: bytes, geometry: Geometry) -> NDArray[np.uint8]:
    """Decode one image file and bring it to the wanted shape.

    Transparency is composited on white, EXIF orientation is applied, 16-bit grey is scaled to
    8 bits, the first frame of an animation is taken.

    Parameters
    ----------
    data : bytes
        The whole file.
    geometry : Geometry

    Returns
    -------
    uint8 ndarray of shape (size, size, 3)
        RGB, 0-255.

    Raises
    ------
    ImageDecodeError
        If the bytes are not a whole image of an allowed format; `reason` is a `Status`.
    """
    with _open(data) as image:
        try:
            image.load()
            return np.asarray(geometry.apply(_to_rgb(_upright(image))))
        except ImageDecodeError:
            raise
        # Pillow's decoders have raised OSError, SyntaxError, ValueError, struct.error, MemoryError
        # and more on bad files: whatever it is, it is about this one image.
        except Exception as exc:
            raise ImageDecodeError(str(exc), reason=Status.CORRUPT) from exc


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


def read_image(manifest: Manifest, row: int, geometry: Geometry) -> NDArray[np.uint8]:
    """Read, check and decode one row of a manifest; see `decode_image`.

    Raises
    ------
    ImageDecodeError
        Also if the file cannot be read, or is not the one the manifest lists.
    """
    path = manifest.root / manifest.paths[row]
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device never ends
            raise ImageDecodeError("not a regular file", reason=Status.UNREADABLE)
        if found.st_size != manifest.size[row]:
            raise ImageDecodeError("the file changed after it was listed", reason=Status.CHANGED)
        data = path.read_bytes()
    except (OSError, MemoryError) as exc:
        raise ImageDecodeError(str(exc), reason=Status.UNREADABLE) from exc
    if not data:
        raise ImageDecodeError("the file has zero bytes", reason=Status.EMPTY)
    if hashlib.sha256(data).digest() != manifest.sha256[row].tobytes():
        raise ImageDecodeError("the file changed after it was listed", reason=Status.CHANGED)
    return decode_image(data, geometry)


def read_batches(
    manifest: Manifest,
    batches: Iterable[NDArray[np.int64]],
    geometry: Geometry,
    *,
    workers: int,
    ahead: int = 2,
) -> Iterator[ImageBatch]:
    """Decode batches of manifest rows in threads, a bounded number ahead of the consumer.

    Parameters
    ----------
    manifest : Manifest
    batches : iterable of int64 ndarray of shape (n_images,)
        Row numbers.
    geometry : Geometry
    workers : int
        Decoding threads; Pillow lets go of the interpreter lock while it decodes and resizes.
    ahead : int
        Batches being decoded beyond the one that is returned; bounds the memory.

    Yields
    ------
    ImageBatch
        In the order of `batches`.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        waiting: deque[list[Future[NDArray[np.uint8]]]] = deque()
        try:
            for rows in batches:
                waiting.append([pool.submit(read_image, manifest, r, geometry) for r in rows])
                if len(waiting) > ahead:
                    yield _collect(waiting.popleft(), geometry.size)
            while waiting:
                yield _collect(waiting.popleft(), geometry.size)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _collect(futures: list[Future[NDArray[np.uint8]]], size: int) -> ImageBatch:
    images = np.zeros((len(futures), size, size, 3), np.uint8)
    status = np.zeros(len(futures), np.uint8)
    for i, future in enumerate(futures):
        try:
            images[i] = future.result()
        except ImageDecodeError as exc:
            status[i] = exc.reason
    return ImageBatch(images=images, status=status)


def _open(data: bytes) -> Image.Image:
    """Open an allowed image without decoding its pixels."""
    try:
        image = Image.open(io.BytesIO(data), formats=ALLOWED_FORMATS)
    except UnidentifiedImageError as exc:
        reason = Status.FORMAT_NOT_ALLOWED if _is_other_image(data) else Status.NOT_AN_IMAGE
        raise ImageDecodeError(str(exc), reason=reason) from exc
    except Exception as exc:
        raise ImageDecodeError(str(exc), reason=Status.CORRUPT) from exc
    if image.width * image.height > MAX_PIXELS:
        message = f"{image.width} × {image.height} pixels; at most {MAX_PIXELS:,} are decoded"
        raise ImageDecodeError(message, reason=Status.TOO_LARGE)
    return image


def _is_other_image(data: bytes) -> bool:
    """Tell an image in a format we do not read from something that is no image at all."""
    head = data[:1024].lstrip()
    if b"<svg" in head or data[4:8] == b"ftyp":  # SVG; HEIC and AVIF
        return True
    return data[:4] in (b"II*\0", b"MM\0*", b"\0\0\1\0", b"8BPS", b"\x76\x2f\x31\x01")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - broken EXIF must not lose a good image
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":  # no agreed range: it would come out black
        raise ImageDecodeError("floating-point pixels", reason=Status.FORMAT_NOT_ALLOWED)
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion would clip everything above 255 to white.
        grey = np.asarray(image).astype(np.uint32)
        scaled = (np.minimum(grey, 65535) * 255 + 32767) // 65535
        return Image.fromarray(scaled.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")

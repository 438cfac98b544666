"""Image files of every odd kind, generated: what they hold, and what must become of them."""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.records import Oddity, Status

NOTHING_ODD = Oddity(0)
SIDE = 48
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
UPRIGHT = (RED, GREEN, BLUE, WHITE)
"""Colours of the quadrants: top left, top right, bottom left, bottom right."""

# What a camera did to an upright scene so that each EXIF orientation undoes it.
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Picture:
    """One file.

    Attributes
    ----------
    name : str
    data : bytes
    colours : tuple of (red, green, blue)
        That it must be decoded to: one for the whole image, or one for each quadrant.
    oddities : Oddity
    status : Status
        Why it must be skipped instead.
    """

    name: str
    data: bytes
    colours: tuple[tuple[int, int, int], ...] = ()
    oddities: Oddity = NOTHING_ODD
    status: Status = Status.OK


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def solid(colour, size=(SIDE, SIDE), mode="RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def quadrants() -> Image.Image:
    """An upright scene, wider than high."""
    image = Image.new("RGB", (96, 64), UPRIGHT[0])
    image.paste(UPRIGHT[1], (48, 0, 96, 32))
    image.paste(UPRIGHT[2], (0, 32, 48, 64))
    image.paste(UPRIGHT[3], (48, 32, 96, 64))
    return image


def photograph(seed: int = 0, size: tuple[int, int] = (160, 120)) -> bytes:
    """A JPEG with enough detail for its scan to be most of the file."""
    noise = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), np.uint8)
    return encode(Image.fromarray(noise), "JPEG", quality=90)


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, bits: int, colour: int, rows: bytes, extra=()) -> bytes:
    """A PNG from its header's fields; `rows` are the filtered scan lines before compression."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def deep_png(values: tuple[int, ...], *, extra=()) -> bytes:
    """A PNG of 16 bits a channel, all pixels alike: 1 value is grey, 3 are RGB."""
    row = b"\0" + struct.pack(f">{len(values)}H", *values) * SIDE
    return png(
        SIDE, SIDE, bits=16, colour=0 if len(values) == 1 else 2, rows=row * SIDE, extra=extra
    )


def png_bomb(width: int, height: int, *, megabytes: int = 1) -> bytes:
    """A PNG of a few kilobytes that says it has width × height pixels; a few rows are there."""
    return png(width, height, bits=8, colour=2, rows=bytes(megabytes * 10**6))


def webp_bomb() -> bytes:
    """A WebP header that says it has 16,384 × 16,384 pixels."""
    side = (16384 - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + side + side
    return b"RIFF" + struct.pack("<I", len(body)) + body + bytes(20)


def ycck_jpeg(colour: tuple[int, int, int]) -> bytes:
    """A JPEG as Adobe's programs write CMYK: inverted, the inks but black turned into YCbCr.

    Pillow writes plain CMYK: the turned values go in as if they were inks, and the marker that
    tells the one from the other is set by hand.
    """
    inks = tuple(255 - value for value in colour)
    turned = Image.new("RGB", (1, 1), inks).convert("YCbCr").getpixel((0, 0))
    planes = [255 - value for value in turned] + [0]
    data = encode(solid(tuple(planes), mode="CMYK"), "JPEG", quality=100, subsampling=0)
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    return data[:at] + b"\2" + data[at + 1 :]


def with_wrong_checksum(data: bytes, chunk: bytes) -> bytes:
    """Alter the checksum of a PNG's chunk, and nothing else."""
    at = data.index(chunk)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]


def palette(*colours: tuple[int, int, int]) -> Image.Image:
    image = solid(0, mode="P")
    image.putpalette([value for colour in colours for value in colour])
    return image


def frames(kind: str, **options) -> bytes:
    """An animation: red, then blue."""
    return encode(solid(RED), kind, save_all=True, append_images=[solid(BLUE)], **options)


def _skipped() -> list[Picture]:
    photo, noisy = photograph(), encode(Image.open(io.BytesIO(photograph())))
    tiff = encode(solid(RED), "TIFF")
    bad = {
        Status.EMPTY: {"zero bytes.jpg": b""},
        Status.NOT_AN_IMAGE: {
            "text.jpg": b"not an image at all\n" * 9,
            "page.jpg": b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
            "pipeline.png": bytes(4096),
        },
        Status.CORRUPT: {
            "half.jpg": photo[: len(photo) // 2],
            "last bytes missing.jpg": photo[:-60],
            "half.png": noisy[: len(noisy) // 2],
            "header checksum.png": with_wrong_checksum(noisy, b"IHDR"),
            "pixel checksum.png": with_wrong_checksum(noisy, b"IDAT"),
            "half.gif": encode(solid(RED).quantize(), "GIF")[:40],
            "half.webp": encode(Image.open(io.BytesIO(photo)), "WEBP")[:900],
            "half.bmp": encode(solid(RED), "BMP")[:900],
        },
        Status.TOO_LARGE: {
            "bomb.png": png_bomb(50_000, 50_000),
            "just too large.png": png_bomb(10_000, 10_001),
            "bomb.webp": webp_bomb(),
        },
        Status.FORMAT_NOT_ALLOWED: {
            "scan.tiff": tiff,
            "scan.jpg": tiff,
            "photo.avif": b"\0\0\0\x1cftypavif" + bytes(60),
            "photo.heic": b"\0\0\0\x18ftypheic" + bytes(60),
            "drawing.svg": b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>",
            "float.pfm": b"Pf\n1 1\n-1.0\n" + struct.pack("<f", 0.5),
        },
    }
    return [
        Picture(name, data, status=status)
        for status, files in bad.items()
        for name, data in files.items()
    ]


def _by_content() -> list[Picture]:
    photo = encode(solid(RED), "JPEG")
    gif, bmp, webp = (encode(solid(RED), kind) for kind in ("GIF", "BMP", "WEBP"))
    wrong, more = Oddity.WRONG_EXTENSION, Oddity.TRAILING_BYTES
    return [
        Picture("as it says.png", encode(solid(RED)), (RED,)),
        Picture("PNG named.jpg", encode(solid(RED)), (RED,), wrong),
        Picture("JPEG named.png", photo, (RED,), wrong),
        Picture("JPEG named.tiff", photo, (RED,), wrong),
        Picture("JPEG named.JPE", photo, (RED,)),
        Picture("BMP named.gif", bmp, (RED,), wrong),
        Picture("no extension", photo, (RED,)),
        Picture("portable.ppm", encode(solid(RED), "PPM"), (RED,)),
        Picture("garbage.jpg", photo + b"garbage" * 9, (RED,), more),
        Picture("two in one.jpg", photo + photo, (RED,), more),
        Picture("zeros.png", encode(solid(RED)) + bytes(3), (RED,), more),
        Picture("garbage.gif", gif + b"garbage;", (RED,), more | Oddity.PALETTE),
        Picture("garbage.bmp", bmp + b"garbage", (RED,), more),
        Picture("garbage.webp", webp + b"garbage", (RED,), more),
        Picture(
            "stereo.jpg",
            encode(solid(RED), "MPO", save_all=True, append_images=[solid(BLUE)]),
            (RED,),
        ),
    ]


def _by_colour() -> list[Picture]:
    grey, clear = Oddity.GREY, Oddity.TRANSPARENT
    deep, index = Oddity.SIXTEEN_BIT, Oddity.PALETTE
    half = (204, 204, 204)
    return [
        Picture(
            "cmyk.jpg", encode(solid((0, 255, 255, 0), mode="CMYK"), "JPEG"), (RED,), Oddity.CMYK
        ),
        Picture("ycck.jpg", ycck_jpeg((250, 100, 5)), ((250, 100, 5),), Oddity.CMYK),
        Picture("grey.png", encode(solid(77, mode="L")), ((77, 77, 77),), grey),
        Picture("grey.jpg", encode(solid(77, mode="L"), "JPEG"), ((77, 77, 77),), grey),
        Picture("one bit.png", encode(solid(1, mode="1")), (WHITE,), Oddity.BILEVEL),
        Picture("one bit.pbm", encode(solid(1, mode="1"), "PPM"), (WHITE,), Oddity.BILEVEL),
        Picture("palette.png", encode(palette(GREEN, RED)), (GREEN,), index),
        Picture("palette.gif", encode(palette(GREEN, RED), "GIF"), (GREEN,), index),
        Picture("16 bit.png", deep_png((32768,)), ((128, 128, 128),), grey | deep),
        Picture("16 bit.pgm", b"P5 1 1 65535\n\x80\x00", ((128, 128, 128),), grey | deep),
        Picture("16 bit colour.png", deep_png((65535, 25700, 0)), ((255, 100, 0),), deep),
        Picture(
            "16 bit and clear.png",
            deep_png((300,), extra=[(b"tRNS", struct.pack(">H", 300))]),
            (WHITE,),
            grey | deep | clear,
        ),
        Picture("clear.png", encode(solid((0, 0, 0, 0), mode="RGBA")), (WHITE,), clear),
        Picture("half clear.png", encode(solid((0, 0, 0, 51), mode="RGBA")), (half,), clear),
        Picture("opaque.png", encode(solid((*RED, 255), mode="RGBA")), (RED,)),
        Picture("clear grey.png", encode(solid((0, 51), mode="LA")), (half,), grey | clear),
        Picture(
            "clear.webp",
            encode(solid((0, 0, 0, 51), mode="RGBA"), "WEBP", lossless=True),
            (half,),
            clear,
        ),
        Picture(
            "clear palette.png",
            encode(palette(GREEN, RED), transparency=0),
            (WHITE,),
            index | clear,
        ),
        Picture(
            "other colour clear.png", encode(palette(GREEN, RED), transparency=1), (GREEN,), index
        ),
        Picture(
            "half clear palette.png",
            encode(palette((0, 0, 0), RED), transparency=bytes([51, 255])),
            (half,),
            index | clear,
        ),
        Picture(
            "clear palette.gif",
            encode(palette(GREEN, RED), "GIF", transparency=0),
            (WHITE,),
            index | clear,
        ),
        Picture("clear colour.png", encode(solid(RED), transparency=(255, 0, 0)), (WHITE,), clear),
    ]


def _by_metadata() -> list[Picture]:
    lossless = {"JPEG": {"quality": 100, "subsampling": 0}, "PNG": {}, "WEBP": {"lossless": True}}
    turned = [
        Picture(
            f"orientation {k}.{kind.lower()}",
            encode(quadrants().transpose(how), kind, exif=exif_of(k), **lossless[kind]),
            UPRIGHT,
            Oddity.ROTATED,
        )
        for k, how in STORED_AS.items()
        for kind in ("JPEG", "PNG", "WEBP")
    ]
    upright = [
        Picture(f"orientation {k}.jpg", encode(solid(RED), "JPEG", exif=exif_of(k)), (RED,))
        for k in (1, 9)
    ]
    broken = {
        "entries missing": b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01",
        "directory outside": b"Exif\0\0MM\0*\xff\xff\xff\xff",
        "no directory": b"Exif\0\0II*\0",
        "no TIFF": b"Exif\0\0rubbish that is no TIFF",
    }
    return [
        *turned,
        *upright,
        *(
            Picture(
                f"exif {what}.jpg",
                encode(solid(RED), "JPEG", exif=exif),
                (RED,),
                Oddity.BROKEN_EXIF,
            )
            for what, exif in broken.items()
        ),
        Picture("moving.gif", frames("GIF"), (RED,), Oddity.ANIMATED | Oddity.PALETTE),
        Picture("moving.webp", frames("WEBP", lossless=True), (RED,), Oddity.ANIMATED),
        Picture("moving.png", frames("PNG"), (RED,), Oddity.ANIMATED),
        Picture("still.gif", encode(solid(RED), "GIF"), (RED,), Oddity.PALETTE),
    ]


PICTURES = (*_skipped(), *_by_content(), *_by_colour(), *_by_metadata())

"""What the bytes of an image file tell without decoding: its kind, its end, its checksums.

Nothing here raises on damaged bytes: whether a file is an image is for the decoder to say.

References
----------
JPEG: ITU-T T.81, annex B. PNG: https://www.w3.org/TR/png-3/, section 5. GIF:
https://www.w3.org/Graphics/GIF/spec-gif89a.txt. WebP: RFC 9649. EXIF: JEITA CP-3451, section 4.6.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

_EXTENSIONS = {
    "JPEG": "jpg jpeg jpe jfif mpo",
    "PNG": "png apng",
    "GIF": "gif",
    "BMP": "bmp",
    "WEBP": "webp",
    "PPM": "ppm pgm pbm pnm pfm",
    "others": "tif tiff avif avifs heic heif svg jp2 j2k ico psd tga pcx dds exr jxl",
}
FORMAT_OF = {
    extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions.split()
}
"""The format that a file name's extension promises; other extensions promise none."""

_LENGTH_OF_PNG_SIGNATURE = 8
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers that stand alone
_START_OF_SCAN = 0xDA
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)


_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")


def begins_like_image(data: bytes) -> bool:
    """Tell whether bytes begin as a JPEG, PNG, GIF or WebP does."""
    return data.startswith(_SIGNATURES) or _is_webp(data)


def is_other_image(data: bytes) -> bool:
    """Tell an image in a format that is not read from something that is no image at all."""
    head = data[:1024].lstrip()
    if b"<svg" in head or data[4:8] in (b"ftyp", b"jP  ", b"JXL "):  # HEIC and AVIF; JPEG 2000
        return True
    return data[:4] in (
        *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF, BigTIFF
        *(b"\0\0\1\0", b"8BPS", b"\x76\x2f\x31\x01"),  # icon, Photoshop, OpenEXR
    )


def contradicts_name(name: str, kind: str) -> bool:
    """Tell whether a file name promises another format than `kind`, a key of Pillow's."""
    stem, dot, extension = name.rpartition("/")[2].rpartition(".")
    promised = FORMAT_OF.get(extension.lower()) if stem and dot else None
    return promised is not None and promised != kind


def has_trailing_bytes(data: bytes, kind: str) -> bool:
    """Tell whether anything follows the end of an image, be it zeros.

    A PPM does not say where it ends, and an MPO is a JPEG that other JPEGs follow: for these and
    for images that lack their end, the answer is no.
    """
    finder = _END_FINDERS.get(kind)
    return finder is not None and 1 < finder(data) < len(data)


def count_gif_frames(data: bytes) -> int:
    """Count the frames of a GIF up to the second: a third makes no difference."""
    frames = 0
    for kind, _ in _walk_gif(data):
        frames += kind == b","
        if frames == 2:
            break
    return frames


def has_bad_checksum(data: bytes) -> bool:
    """Tell whether a chunk that a PNG cannot do without fails its checksum.

    Pillow does not look at the checksums of pixel data.
    """
    for kind, start, end in _walk_png(data):
        needed = kind[:1].isupper()
        if needed and zlib.crc32(memoryview(data)[start + 4 : end - 4]) != _read(
            ">I", data, end - 4
        ):
            return True
    return False


def is_sixteen_bit_png(data: bytes) -> bool:
    """Tell whether a PNG has 16 bits a channel."""
    return data[24:25] == b"\x10"


def is_in_one_scan(data: bytes) -> bool:
    """Tell whether a file is a JPEG of which a decoder keeps no more than the pixels it makes.

    Of a progressive one, or with a scan for each colour, all coefficients are kept, at whatever
    size it is decoded.
    """
    n_components: int | None = 0
    for marker, position in _walk_jpeg(data):
        if marker in _SEQUENTIAL_FRAMES:
            n_components = _read("B", data, position + 7)
        elif marker == _START_OF_SCAN:
            return n_components == _read("B", data, position + 2)
    return False


def has_broken_exif(exif: bytes) -> bool:
    """Tell whether the directory that would hold the orientation cannot be read."""
    tiff = re.sub(rb"^(Exif\0\0){1,2}", b"", exif)
    if not tiff:
        return False
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return True
    offset = _read(order + "I", tiff, 4)
    n_entries = None if offset is None else _read(order + "H", tiff, offset)
    return offset is None or n_entries is None or offset + 2 + 12 * n_entries > len(tiff)


def read_webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a WebP from its header; (0, 0) if it is none.

    Opening a WebP makes its decoder allocate the whole canvas, so its size must be known before.
    """
    if not _is_webp(data) or len(data) < 30:
        return 0, 0
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _read(form: str, data: bytes, offset: int) -> int | None:
    """Return one number, or None where the bytes end before it."""
    try:
        number: int = struct.unpack_from(form, data, offset)[0]
    except struct.error:
        return None
    return number


def _walk_jpeg(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each segment's marker and where its length stands, up to the first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        position += 2
        yield marker, position
        if marker == _START_OF_SCAN:
            return
        if marker not in _NO_LENGTH:
            position += int.from_bytes(data[position : position + 2])


def _find_jpeg_end(data: bytes) -> int:
    """Return where the bytes after the end-of-image marker begin; 0 or 1 without that marker.

    Segments are stepped over up to the first scan, since a thumbnail in one is a JPEG too. Within
    a scan no byte 0xFF is followed by 0xD9.
    """
    scan = next((position for marker, position in _walk_jpeg(data) if marker == _START_OF_SCAN), 0)
    return data.find(b"\xff\xd9", scan) + 2 if scan else 0


def _walk_png(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each whole chunk's kind, where it begins and where it ends, up to IEND."""
    start = _LENGTH_OF_PNG_SIGNATURE
    while (length := _read(">I", data, start)) is not None:
        kind, end = data[start + 4 : start + 8], start + 12 + length
        if end > len(data):
            return
        yield kind, start, end
        if kind == b"IEND":
            return
        start = end


def _find_png_end(data: bytes) -> int:
    return next((end for kind, _, end in _walk_png(data) if kind == b"IEND"), 0)


def _walk_gif(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield each block's kind and where it ends, up to the trailer."""
    position = 13 + _length_of_palette(data, 10)
    while kind := data[position : position + 1]:
        if kind == b";":
            yield kind, position + 1
            return
        if kind == b",":
            position += 11 + _length_of_palette(data, position + 9)
        elif kind == b"!":
            position += 2
        else:
            return
        while position < len(data) and (length := data[position]):
            position += 1 + length
        position += 1
        yield kind, position


def _length_of_palette(data: bytes, position: int) -> int:
    flags = _read("B", data, position) or 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _find_gif_end(data: bytes) -> int:
    return next((end for kind, end in _walk_gif(data) if kind == b";"), 0)


def _find_bmp_end(data: bytes) -> int:
    return _read("<I", data, 2) or 0


def _find_webp_end(data: bytes) -> int:
    length = _read("<I", data, 4) or 0
    return 8 + length + length % 2


_END_FINDERS = {
    "JPEG": _find_jpeg_end,
    "PNG": _find_png_end,
    "GIF": _find_gif_end,
    "BMP": _find_bmp_end,
    "WEBP": _find_webp_end,
}

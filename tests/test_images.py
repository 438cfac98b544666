import hashlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ImageDecodeError
from pipeline.images import Geometry, decode_image, encode_png, read_batches, read_image
from pipeline.records import Manifest, Split, Status

SQUARE = Geometry(size=8, resize="squash", interpolation="nearest")


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def solid(colour, size=(16, 12), mode="RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def manifest_of(root, names) -> Manifest:
    names = sorted(names)
    hashes = [hashlib.sha256((root / name).read_bytes()).digest() for name in names]
    n = len(names)
    return Manifest(
        name="some",
        root=root,
        paths=tuple(names),
        labels=np.zeros(n, np.int32),
        class_names=("a",),
        split=np.full(n, Split.NONE, np.uint8),
        group=np.full(n, -1, np.int32),
        group_names=(),
        size=np.array([(root / name).stat().st_size for name in names], np.int64),
        sha256=np.frombuffer(b"".join(hashes), np.uint8).reshape(n, 32),
    )


class TestGeometry:
    def test_crop_takes_the_centre_square(self):
        image = np.zeros((4, 12, 3), np.uint8)
        image[:, 4:8] = 255
        values = decode_image(encode_png(image), Geometry(size=4, interpolation="nearest"))
        assert (values == 255).all()

    def test_crop_fraction_takes_less_of_it(self):
        image = np.zeros((8, 8, 3), np.uint8)
        image[2:6, 2:6] = 255
        half = Geometry(size=4, crop_fraction=0.5, interpolation="nearest")
        assert (decode_image(encode_png(image), half) == 255).all()

    def test_squash_keeps_both_edges(self):
        image = np.zeros((4, 12, 3), np.uint8)
        image[:, :6] = 255
        values = decode_image(encode_png(image), SQUARE)
        assert (values[:, :4] == 255).all()
        assert (values[:, 4:] == 0).all()

    def test_pad_keeps_the_whole_image_and_fills_with_the_imagenet_mean(self):
        padded = Geometry(size=12, resize="pad", interpolation="nearest")
        values = decode_image(encode(solid("black", (12, 4))), padded)
        assert (values[4:8] == 0).all()
        assert (values[0, 0] == (124, 116, 104)).all()

    def test_shrinking_is_antialiased(self):
        stripes = np.zeros((64, 64, 3), np.uint8)
        stripes[:, ::2] = 255
        values = decode_image(encode_png(stripes), Geometry(size=8, interpolation="bilinear"))
        assert abs(int(values.mean()) - 127) <= 2
        assert values.std() < 10


class TestDecode:
    def test_colours_are_red_green_blue(self):
        assert decode_image(encode(solid((250, 100, 5))), SQUARE)[0, 0].tolist() == [250, 100, 5]

    @pytest.mark.parametrize(
        ("mode", "colour", "kind", "expected"),
        [
            ("L", 77, "PNG", (77, 77, 77)),
            ("1", 1, "PNG", (255, 255, 255)),
            ("P", 0, "GIF", (0, 0, 0)),
            ("RGBA", (0, 0, 0, 0), "PNG", (255, 255, 255)),
            ("RGBA", (0, 0, 0, 51), "PNG", (204, 204, 204)),
            ("LA", (0, 0), "PNG", (255, 255, 255)),
            ("CMYK", (0, 0, 0, 0), "JPEG", (255, 255, 255)),
            ("RGB", (9, 9, 9), "BMP", (9, 9, 9)),
        ],
    )
    def test_every_mode_becomes_rgb(self, mode, colour, kind, expected):
        values = decode_image(encode(solid(colour, mode=mode), kind), SQUARE)
        assert values.shape == (8, 8, 3)
        assert np.abs(values[0, 0].astype(int) - expected).max() <= 1

    def test_a_transparent_palette_colour_becomes_white(self):
        image = solid(0, mode="P")
        image.putpalette([10, 20, 30] * 256)
        values = decode_image(encode(image, "PNG", transparency=0), SQUARE)
        assert (values == 255).all()

    def test_sixteen_bit_grey_is_scaled_not_clipped(self):
        image = Image.fromarray(np.full((8, 8), 32768, np.uint16))
        assert (decode_image(encode(image), SQUARE) == 128).all()

    def test_exif_orientation_is_obeyed(self):
        image = np.zeros((8, 8, 3), np.uint8)
        image[:4] = 255
        exif = Image.Exif()
        exif[0x0112] = 3  # upside down
        data = encode(Image.fromarray(image), "PNG", exif=exif)
        values = decode_image(data, SQUARE)
        assert (values[:4] == 0).all()
        assert (values[4:] == 255).all()

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
    def test_broken_exif_does_not_lose_the_image(self):
        data = encode(solid("red"), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
        assert decode_image(data, SQUARE)[0, 0, 0] > 200

    def test_content_decides_not_the_name(self, tmp_path):
        (tmp_path / "png.jpg").write_bytes(encode(solid("red")))
        assert read_image(manifest_of(tmp_path, ["png.jpg"]), 0, SQUARE)[0, 0, 0] == 255

    def test_trailing_garbage_is_harmless(self):
        assert decode_image(encode(solid("red"), "JPEG") + b"garbage" * 9, SQUARE)[0, 0, 0] > 200

    def test_the_first_frame_of_an_animation_is_taken(self):
        data = encode(solid("red"), "GIF", save_all=True, append_images=[solid("blue")])
        assert decode_image(data, SQUARE)[0, 0].tolist() == [255, 0, 0]


def png_of_size(width: int, height: int) -> bytes:
    """A PNG header that promises far more pixels than the file holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


BAD = {
    "text": (b"not an image at all", Status.NOT_AN_IMAGE),
    "html": (b"<!DOCTYPE html><title>404</title>", Status.NOT_AN_IMAGE),
    "svg": (b"<?xml version='1.0'?><svg xmlns='x'/>", Status.FORMAT_NOT_ALLOWED),
    "tiff": (encode(solid("red"), "TIFF"), Status.FORMAT_NOT_ALLOWED),
    "heic": (b"\0\0\0\x18ftypheic" + b"\0" * 40, Status.FORMAT_NOT_ALLOWED),
    "cut jpeg": (encode(solid("red", (200, 200)), "JPEG")[:-300], Status.CORRUPT),
    "cut png": (encode_png(np.zeros((90, 90, 3), np.uint8))[:-40], Status.CORRUPT),
    "float": (b"Pf\n1 1\n-1.0\n" + struct.pack("<f", 0.5), Status.FORMAT_NOT_ALLOWED),
    "huge": (png_of_size(20_000, 10_000), Status.TOO_LARGE),
    "huge beyond Pillow's own limit": (png_of_size(60_000, 60_000), Status.TOO_LARGE),
}


class TestBadImages:
    @pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD.keys())
    def test_a_bad_image_is_refused_with_its_reason(self, data, reason):
        with pytest.raises(ImageDecodeError) as caught:
            decode_image(data, SQUARE)
        assert caught.value.reason == reason

    def test_a_flipped_bit_in_a_png_is_noticed(self):
        noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
        data = bytearray(encode_png(noise))
        data[len(data) // 2] ^= 1
        with pytest.raises(ImageDecodeError) as caught:
            decode_image(bytes(data), SQUARE)
        assert caught.value.reason == Status.CORRUPT

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "a.jpg").write_bytes(b"")
        with pytest.raises(ImageDecodeError, match="zero bytes"):
            read_image(manifest_of(tmp_path, ["a.jpg"]), 0, SQUARE)

    def test_a_file_that_changed_after_it_was_listed(self, tmp_path):
        (tmp_path / "a.png").write_bytes(encode(solid("red")))
        manifest = manifest_of(tmp_path, ["a.png"])
        (tmp_path / "a.png").write_bytes(encode(solid("blue")))
        with pytest.raises(ImageDecodeError, match="changed"):
            read_image(manifest, 0, SQUARE)

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        (tmp_path / "a.png").write_bytes(encode(solid("red")))
        manifest = manifest_of(tmp_path, ["a.png"])
        (tmp_path / "a.png").unlink()
        os.mkfifo(tmp_path / "a.png")
        with pytest.raises(ImageDecodeError, match="not a regular file"):
            read_image(manifest, 0, SQUARE)

    def test_a_file_that_grew_is_not_read(self, tmp_path, monkeypatch):
        (tmp_path / "a.png").write_bytes(encode(solid("red")))
        manifest = manifest_of(tmp_path, ["a.png"])
        with (tmp_path / "a.png").open("ab") as file:
            file.truncate(1 << 40)  # sparse
        monkeypatch.setattr("pathlib.Path.read_bytes", None)
        with pytest.raises(ImageDecodeError, match="changed"):
            read_image(manifest, 0, SQUARE)

    def test_a_file_that_is_gone(self, tmp_path):
        (tmp_path / "a.png").write_bytes(encode(solid("red")))
        manifest = manifest_of(tmp_path, ["a.png"])
        (tmp_path / "a.png").unlink()
        with pytest.raises(ImageDecodeError) as caught:
            read_image(manifest, 0, SQUARE)
        assert caught.value.reason == Status.UNREADABLE


class TestReadBatches:
    def test_order_is_kept_and_bad_rows_are_marked(self, tmp_path):
        for i in range(10):
            (tmp_path / f"{i}.png").write_bytes(encode(solid((i, 0, 0))))
        (tmp_path / "4.png").write_bytes(b"rubbish")
        manifest = manifest_of(tmp_path, [f"{i}.png" for i in range(10)])
        rows = [np.arange(0, 4), np.arange(4, 8), np.arange(8, 10)]
        batches = list(read_batches(manifest, rows, SQUARE, workers=3))
        assert [len(b.images) for b in batches] == [4, 4, 2]
        reds = np.concatenate([b.images[:, 0, 0, 0] for b in batches])
        assert reds.tolist() == [0, 1, 2, 3, 0, 5, 6, 7, 8, 9]
        status = np.concatenate([b.status for b in batches])
        assert np.flatnonzero(status).tolist() == [4]

    def test_only_a_bounded_number_is_decoded_ahead(self, tmp_path):
        (tmp_path / "a.png").write_bytes(encode(solid("red")))
        manifest = manifest_of(tmp_path, ["a.png"])
        asked = []

        def rows():
            for i in range(50):
                asked.append(i)
                yield np.array([0])

        batches = read_batches(manifest, rows(), SQUARE, workers=2, ahead=2)
        next(batches)
        assert len(asked) == 3
        batches.close()

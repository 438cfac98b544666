"""The odd and the bad images, one of each kind, are in tests/faults/test_input.py."""

import hashlib
import io
import struct
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.errors import ImageDecodeError
from pipeline.images import (
    Geometry,
    codec,
    containers,
    decode_image,
    encode_png,
    examine_image,
    read_batches,
    read_image,
    reading,
)
from pipeline.images.memory import PixelBudget
from pipeline.records import Manifest, Oddity, Split, Status
from tests.faults.pictures import (
    RED,
    encode,
    exif_of,
    palette,
    photograph,
    png_bomb,
    quadrants,
    solid,
    webp_bomb,
)

SQUARE = Geometry(size=8, resize="squash", interpolation="nearest")
RULES = [
    Geometry(size=12),
    Geometry(size=12, crop_fraction=0.875, interpolation="bilinear"),
    Geometry(size=12, resize="squash"),
    Geometry(size=16, resize="pad"),
]


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


@pytest.fixture
def one_image(tmp_path) -> Manifest:
    (tmp_path / "a.png").write_bytes(encode(solid("red")))
    return manifest_of(tmp_path, ["a.png"])


@pytest.fixture
def decoded_sizes(monkeypatch) -> list[tuple[int, int]]:
    """The size of every image that is decoded from now on."""
    sizes, to_rgb = [], codec._to_rgb

    def note_and_convert(image):
        sizes.append(image.size)
        return to_rgb(image)

    monkeypatch.setattr(codec, "_to_rgb", note_and_convert)
    return sizes


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

    def test_pad_keeps_a_line_of_an_image_that_is_nearly_one(self):
        padded = Geometry(size=12, resize="pad")
        for size in ((3000, 3), (3, 3000)):
            assert (decode_image(encode(solid("red", size)), padded) == RED).all(axis=2).sum() == 12

    def test_shrinking_is_antialiased(self):
        stripes = np.zeros((64, 64, 3), np.uint8)
        stripes[:, ::2] = 255
        values = decode_image(encode_png(stripes), Geometry(size=8, interpolation="bilinear"))
        assert abs(int(values.mean()) - 127) <= 2
        assert values.std() < 10


class TestDecode:
    def test_colours_are_red_green_blue(self):
        assert decode_image(encode(solid((250, 100, 5))), SQUARE)[0, 0].tolist() == [250, 100, 5]

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_an_image_is_turned_as_pillow_turns_it(self, orientation):
        data = encode(quadrants(), exif=exif_of(orientation))
        turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        assert np.array_equal(decode_image(data, SQUARE), decode_image(encode(turned), SQUARE))

    @pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "I;16", "CMYK"])
    def test_a_large_image_is_converted_in_strips_without_a_seam(self, mode, monkeypatch):
        noise = np.random.default_rng(0).integers(0, 256, (50, 60, 4), np.uint8)
        if mode == "I;16":
            image = Image.fromarray(noise.view(np.uint16)[:, :, 0])
        else:
            image = Image.fromarray(noise).convert("RGB" if mode == "CMYK" else mode).convert(mode)
        data = encode(image, "JPEG" if mode == "CMYK" else "PNG")
        geometry = Geometry(size=50)
        whole = examine_image(data, [geometry])
        monkeypatch.setattr(codec, "STRIP_PIXELS", 60 * 7)
        strips = examine_image(data, [geometry])
        assert np.array_equal(strips.pixels[0], whole.pixels[0])
        assert strips.oddities == whole.oddities

    def test_one_clear_pixel_makes_an_image_transparent(self, monkeypatch):
        monkeypatch.setattr(codec, "STRIP_PIXELS", 48)
        image = solid((9, 9, 9, 255), mode="RGBA")
        assert examine_image(encode(image), [SQUARE]).oddities == 0
        image.putpixel((40, 3), (9, 9, 9, 254))
        assert examine_image(encode(image), [SQUARE]).oddities == Oddity.TRANSPARENT

    def test_damage_beside_the_pixels_of_a_png_is_none(self):
        data = encode(solid("red"))
        comment = b"\0\0\0\3tEXta\0b" + b"wrong checksum"[:4]
        assert examine_image(data[:-12] + comment + data[-12:], [SQUARE]).oddities == 0

    @pytest.mark.parametrize("data", [png_bomb(60_000, 60_000), webp_bomb()], ids=["PNG", "WebP"])
    def test_a_bomb_is_refused_without_a_decoder(self, data, monkeypatch):
        monkeypatch.setattr("PIL.WebPImagePlugin._webp.WebPAnimDecoder", None)
        with pytest.raises(ImageDecodeError, match="at most 100,000,000 are decoded") as caught:
            decode_image(data, SQUARE)
        assert caught.value.reason == Status.TOO_LARGE

    @pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory error when reading")])
    def test_too_little_memory_is_not_the_fault_of_the_image(self, monkeypatch, error):
        def fail(image):
            raise error

        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
        with pytest.raises(ImageDecodeError, match="not enough memory") as caught:
            decode_image(encode(solid("red"), "JPEG"), SQUARE)
        assert caught.value.reason == Status.UNREADABLE

    def test_an_image_gives_its_memory_back_when_done_and_when_it_fails(self, monkeypatch):
        opened, open_image = [], codec._open

        def open_and_keep(data):
            opened.append(open_image(data))
            return opened[-1]

        monkeypatch.setattr(codec, "_open", open_and_keep)
        decode_image(encode(solid("red")), SQUARE)
        with pytest.raises(ImageDecodeError):
            decode_image(photograph()[:-60], SQUARE)
        assert len(opened) == 2
        for image in opened:
            with pytest.raises(ValueError, match="closed image"):
                image.getpixel((0, 0))

    @pytest.mark.parametrize("error", [SyntaxError, ValueError, struct.error, RecursionError])
    def test_whatever_a_decoder_raises_is_about_one_image(self, monkeypatch, error):
        def fail(image):
            raise error("something")

        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
        with pytest.raises(ImageDecodeError, match="something") as caught:
            decode_image(encode(solid("red"), "JPEG"), SQUARE)
        assert caught.value.reason == Status.CORRUPT


class TestSeveralGeometries:
    def test_each_has_its_pixels_and_equal_ones_share_them(self):
        geometries = [Geometry(size=40), Geometry(size=32, resize="pad"), Geometry(size=40)]
        pixels = examine_image(photograph(), geometries).pixels
        for geometry, made in zip(geometries, pixels, strict=True):
            assert np.array_equal(made, decode_image(photograph(), geometry))
        assert pixels[0] is pixels[2]

    def test_an_image_is_decoded_once_and_resized_once_for_each(self, decoded_sizes, monkeypatch):
        applied, apply = [], Geometry.apply

        def note_and_apply(geometry, *args):
            applied.append(geometry)
            return apply(geometry, *args)

        monkeypatch.setattr(Geometry, "apply", note_and_apply)
        examine_image(photograph(), [SQUARE, RULES[0], SQUARE])
        assert decoded_sizes == [(160, 120)]
        assert set(applied) == {SQUARE, RULES[0]}
        assert len(applied) == 2


def photo_like(size: tuple[int, int] = (403, 309), seed: int = 0) -> Image.Image:
    """A picture with detail of every size, the finer the fainter, as photographs have it."""
    random, total = np.random.default_rng(seed), np.zeros((*size[::-1], 3))
    for octave in range(1, 8):
        noise = random.integers(0, 256, (2**octave, 2**octave, 3), np.uint8)
        layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer) / octave
    total -= total.min()
    return Image.fromarray((total / total.max() * 255).astype(np.uint8))


JPEGS = {
    "plain": encode(photo_like(), "JPEG"),
    "colours in full": encode(photo_like(), "JPEG", subsampling=0),
    "progressive": encode(photo_like(), "JPEG", progressive=True),
    "CMYK": encode(photo_like().convert("CMYK"), "JPEG"),
    "grey": encode(photo_like().convert("L"), "JPEG"),
    "MPO": encode(photo_like(), "MPO", save_all=True, append_images=[photo_like(seed=1)]),
    **{f"turned {i}": encode(photo_like(), "JPEG", exif=exif_of(i)) for i in range(2, 9)},
}


def shrink_in_full(data: bytes, geometry: Geometry) -> np.ndarray:
    """What Pillow makes of all pixels of a file, in one step."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    square = (geometry.size, geometry.size)
    resample = getattr(Image.Resampling, geometry.interpolation.upper())
    if geometry.resize == "pad":
        return np.asarray(ImageOps.pad(image, square, resample, color=(124, 116, 104)))
    if geometry.resize == "squash":
        return np.asarray(image.resize(square, resample))
    side = min(image.size) * geometry.crop_fraction
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return np.asarray(image.resize(square, resample, (left, top, left + side, top + side)))


def differences(data: bytes, geometry: Geometry) -> np.ndarray:
    pixels = decode_image(data, geometry)
    return np.abs(pixels.astype(int) - shrink_in_full(data, geometry))


class TestMuchLargerThanNeeded:
    """JPEGs decoded at a fraction of their size, and other images reduced before they are resized.

    The tolerances are those that `geometry.GAP` states, with a little room.
    """

    @pytest.mark.parametrize("geometry", RULES, ids=str)
    @pytest.mark.parametrize("kind", JPEGS)
    def test_a_jpeg_comes_out_nearly_as_from_all_its_pixels(self, kind, geometry, decoded_sizes):
        apart = differences(JPEGS[kind], geometry)
        assert decoded_sizes in ([(51, 39)], [(101, 78)])
        assert 0 < apart.mean() < 0.5
        assert apart.max() <= 4

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
    def test_another_image_does_too(self, kind):
        for geometry in RULES:
            apart = differences(encode(photo_like(), kind), geometry)
            assert 0 < apart.mean() < 0.5
            assert apart.max() <= 4

    @pytest.mark.parametrize("kind", JPEGS)
    def test_an_image_that_is_not_much_larger_is_exactly_what_pillow_makes_of_it(self, kind):
        for geometry in RULES:
            assert not differences(JPEGS[kind], replace(geometry, size=100)).any()

    def test_nearest_takes_single_pixels_of_the_full_image(self, decoded_sizes):
        assert not differences(JPEGS["plain"], SQUARE).any()
        assert decoded_sizes == [(403, 309)]

    @pytest.mark.parametrize(
        ("size", "decoded"),
        [
            (52, (403, 309)),
            (51, (202, 155)),
            (26, (202, 155)),
            (25, (101, 78)),
            (13, (101, 78)),
            (12, (51, 39)),
            (1, (51, 39)),
        ],
    )
    def test_three_times_what_is_needed_is_left(self, size, decoded, decoded_sizes):
        decode_image(JPEGS["plain"], Geometry(size=size))
        assert decoded_sizes == [decoded]

    def test_the_largest_geometry_decides(self, decoded_sizes):
        alone = decode_image(JPEGS["plain"], Geometry(size=40))
        both = examine_image(JPEGS["plain"], [Geometry(size=8), Geometry(size=40)]).pixels
        assert np.array_equal(both[1], alone)
        assert decoded_sizes[0] == decoded_sizes[1] == (202, 155)

    @pytest.mark.parametrize("size", [(3000, 3), (3, 3000), (1, 1), (4000, 400)])
    def test_an_image_of_any_shape_can_be_reduced(self, size):
        data = encode(solid((200, 100, 50), size), "JPEG")
        for geometry in RULES:
            pixels = decode_image(data, geometry).reshape(-1, 3).astype(int)
            is_content = (np.abs(pixels - (200, 100, 50)) <= 3).all(axis=1)
            assert is_content.all() or (geometry.resize == "pad" and is_content.sum() >= 16)

    @pytest.mark.parametrize("kind", JPEGS)
    def test_oddities_are_found_at_any_size(self, kind):
        for data in (JPEGS[kind], JPEGS[kind] + b"garbage"):
            small = examine_image(data, RULES, name="a.png").oddities
            assert small == examine_image(data, [Geometry(size=200)], name="a.png").oddities
            assert Oddity.WRONG_EXTENSION in small

    @pytest.mark.parametrize("kind", ["plain", "progressive", "CMYK", "grey", "turned 6"])
    def test_damage_is_found_at_any_size(self, kind, decoded_sizes):
        data, random = JPEGS[kind], np.random.default_rng(0)
        outcomes = []
        for i in range(60):
            damaged = bytearray(data)
            if i % 3 == 0:
                del damaged[int(random.integers(len(data))) :]
            else:
                reach = len(data) if i % 3 == 1 else 700
                damaged[int(random.integers(reach))] ^= 1 << int(random.integers(8))
            outcomes.append([outcome(bytes(damaged), Geometry(size=size)) for size in (12, 200)])
        assert all(small == large for small, large in outcomes)
        assert {Status.OK, Status.CORRUPT} <= {small for small, _ in outcomes}
        assert len(set(decoded_sizes)) > 1

    def test_real_photographs_are_within_the_tolerance(self, real_data):
        photos = sorted((real_data / "cats-and-dogs").rglob("*.jpg"))[::47]
        apart = [
            differences(path.read_bytes(), Geometry(size=size))
            for path in photos
            for size in (24, 32)
        ]
        reduced = [difference for difference in apart if difference.any()]
        assert len(reduced) > 40
        assert np.mean([difference.mean() for difference in reduced]) < 0.33
        assert max(difference.mean() for difference in reduced) < 2
        assert max(difference.max() for difference in reduced) <= 20


def outcome(data: bytes, geometry: Geometry) -> Status:
    try:
        decode_image(data, geometry)
    except ImageDecodeError as exc:
        return Status(exc.reason)
    return Status.OK


class TestContainers:
    def test_every_extension_of_pillow_promises_its_format(self):
        registered = {key[1:]: kind for key, kind in Image.registered_extensions().items()}
        promised = {
            extension: kind for extension, kind in containers.FORMAT_OF.items() if kind != "others"
        }
        same = {"MPO": "JPEG", "DIB": "BMP"}
        expected = {
            extension: same.get(kind, kind)
            for extension, kind in registered.items()
            if same.get(kind, kind) in codec.ALLOWED_FORMATS and kind != "DIB"
        }
        assert promised == expected
        others = {e for e, kind in containers.FORMAT_OF.items() if kind == "others"}
        assert {"tif", "tiff", "avif", "jp2", "ico", "psd"} <= others & registered.keys()

    @pytest.mark.parametrize(
        ("name", "contradicts"),
        [
            ("cat/1.jpg", True),
            ("cat/1.JPG", True),
            ("cat/1.tiff", True),
            ("cat/1.png", False),
            ("cat/1", False),
            ("cat/.jpg", False),
            ("cat.jpg/1", False),
            ("cat/1.jpg.0001", False),
        ],
    )
    def test_a_name_contradicts_only_if_it_promises_something(self, name, contradicts):
        assert containers.contradicts_name(name, "PNG") == contradicts

    def test_a_thumbnail_within_a_jpeg_is_not_its_end(self):
        exif = b"Exif\0\0" + encode(solid("red", (8, 8)), "JPEG")
        assert not containers.has_trailing_bytes(encode(solid("red"), "JPEG", exif=exif), "JPEG")

    def test_a_progressive_jpeg_has_one_end(self):
        data = encode(Image.open(io.BytesIO(photograph())), "JPEG", progressive=True)
        assert not containers.has_trailing_bytes(data, "JPEG")
        assert containers.has_trailing_bytes(data + b"\xff\xd9", "JPEG")

    def test_a_scan_holds_all_colours_or_one(self):
        plain, grey = JPEGS["plain"], JPEGS["grey"]
        scan = plain.index(b"\xff\xda")
        assert plain[scan + 4] == 3
        first_colour_only = plain[: scan + 4] + b"\1" + plain[scan + 5 :]
        for data in (plain, grey, JPEGS["CMYK"], JPEGS["MPO"], plain[: scan + 5]):
            assert containers.is_in_one_scan(data)
        for data in (JPEGS["progressive"], first_colour_only, plain[:scan], encode(photo_like())):
            assert not containers.is_in_one_scan(data)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
    def test_an_image_without_its_end_has_nothing_behind_it(self, kind):
        data = encode(palette((9, 9, 9)).convert("RGB"), kind)
        for length in (0, 1, 12, 20, len(data) // 2, len(data) - 1, len(data)):
            assert not containers.has_trailing_bytes(data[:length], kind)

    @pytest.mark.parametrize("n_frames", [1, 2, 5])
    def test_frames_of_a_gif_are_counted_to_two(self, n_frames):
        frames = [solid((40 * i, 0, 0)) for i in range(n_frames)]
        data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
        assert containers.count_gif_frames(data) == min(n_frames, 2)

    @pytest.mark.parametrize(
        ("options", "mode"),
        [({}, "RGB"), ({"lossless": True}, "RGB"), ({"lossless": True}, "RGBA")],
    )
    def test_the_size_of_a_webp_is_in_its_header(self, options, mode):
        data = encode(Image.new(mode, (321, 123)), "WEBP", **options)
        assert containers.read_webp_size(data) == (321, 123)
        with_exif = encode(Image.new(mode, (321, 123)), "WEBP", exif=exif_of(1), **options)
        assert containers.read_webp_size(with_exif) == (321, 123)

    def test_no_bytes_whatever_make_it_raise(self):
        random = np.random.default_rng(0)
        starts = (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF1234WEBPVP8 ", b"II*\0")
        for i in range(3000):
            data = starts[i % len(starts)] + random.bytes(int(random.integers(0, 60)))
            for kind in codec.ALLOWED_FORMATS:
                containers.has_trailing_bytes(data, kind)
            containers.count_gif_frames(data)
            containers.has_bad_checksum(data)
            containers.has_broken_exif(data)
            containers.is_in_one_scan(data)
            containers.read_webp_size(data)


class TestPixelBudget:
    def hold(self, budget: PixelBudget, pixels: int, entered: threading.Event) -> threading.Thread:
        def work() -> None:
            with budget.hold(pixels):
                entered.set()

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def test_what_does_not_fit_waits_until_it_does(self):
        budget, small, large = PixelBudget(10), threading.Event(), threading.Event()
        with budget.hold(6):
            threads = [self.hold(budget, 4, small), self.hold(budget, 5, large)]
            assert small.wait(5)
            assert not large.wait(0.05)
        assert large.wait(5)
        for thread in threads:
            thread.join()

    def test_what_is_larger_than_the_budget_goes_alone(self):
        budget = PixelBudget(10)
        with budget.hold(1000):
            assert not self.hold(budget, 1, other := threading.Event()).join(0.05)
            assert not other.is_set()
        assert other.wait(5)

    @pytest.mark.parametrize(
        ("data", "pixels"),
        [
            (JPEGS["plain"], 51 * 39),
            (JPEGS["turned 6"], 51 * 39),
            (JPEGS["progressive"], 403 * 309),
            (encode(photo_like()), 403 * 309),
            (encode(photo_like(), "WEBP"), 403 * 309),
        ],
        ids=["plain", "turned", "progressive", "PNG", "WebP"],
    )
    def test_what_is_really_decoded_counts(self, data, pixels, monkeypatch):
        held = []

        @contextmanager
        def note(n_pixels: int) -> Iterator[None]:
            held.append(n_pixels)
            yield

        monkeypatch.setattr(codec._BUDGET, "hold", note)
        decode_image(data, RULES[0])
        assert held == [pixels]

    def test_an_error_gives_it_back(self):
        budget = PixelBudget(10)
        with pytest.raises(ValueError, match="x"), budget.hold(10):
            raise ValueError("x")
        with budget.hold(10):
            pass


class TestReadImage:
    def test_a_file_that_grew_is_not_read(self, one_image, monkeypatch):
        with (one_image.root / "a.png").open("ab") as file:
            file.truncate(1 << 40)  # sparse
        monkeypatch.setattr("pathlib.Path.read_bytes", None)
        with pytest.raises(ImageDecodeError, match="changed"):
            read_image(one_image, 0, [SQUARE])

    def test_a_file_that_is_larger_than_any_image_is_not_read(self, one_image, monkeypatch):
        monkeypatch.setattr(reading, "MAX_BYTES", 10)
        monkeypatch.setattr("pathlib.Path.read_bytes", None)
        with pytest.raises(ImageDecodeError, match="at most 10 are read") as caught:
            read_image(one_image, 0, [SQUARE])
        assert caught.value.reason == Status.TOO_LARGE

    def test_a_file_that_never_could_be_read_did_not_change(self, one_image):
        (one_image.root / "a.png").unlink()
        never_read = replace(one_image, size=np.zeros(1, np.int64), sha256=one_image.sha256 * 0)
        for manifest, reason in ((one_image, Status.CHANGED), (never_read, Status.UNREADABLE)):
            with pytest.raises(ImageDecodeError, match="the file is gone") as caught:
                read_image(manifest, 0, [SQUARE])
            assert caught.value.reason == reason


class TestReadBatches:
    def test_order_is_kept_and_bad_rows_are_marked(self, tmp_path):
        for i in range(10):
            (tmp_path / f"{i}.png").write_bytes(encode(solid((i, 0, 0))))
        (tmp_path / "4.png").write_bytes(b"rubbish")
        (tmp_path / "7.png").write_bytes(encode(solid((7, 0, 0)), "BMP"))
        manifest = manifest_of(tmp_path, [f"{i}.png" for i in range(10)])
        rows = [np.arange(0, 4), np.arange(4, 8), np.arange(8, 10)]
        batches = list(read_batches(manifest, rows, [SQUARE], workers=3))
        assert [b.images[0].shape for b in batches] == [(n, 8, 8, 3) for n in (4, 4, 2)]
        reds = np.concatenate([b.images[0][:, 0, 0, 0] for b in batches])
        assert reds.tolist() == [0, 1, 2, 3, 0, 5, 6, 7, 8, 9]
        status = np.concatenate([b.status for b in batches])
        assert np.flatnonzero(status).tolist() == [4]
        oddities = np.concatenate([b.oddities for b in batches])
        assert oddities.dtype == np.uint16
        assert oddities.tolist() == [0] * 7 + [Oddity.WRONG_EXTENSION] + [0] * 2

    def test_each_geometry_has_its_array_and_equal_ones_share_it(self, tmp_path):
        for i in range(3):
            (tmp_path / f"{i}.jpg").write_bytes(photograph(i))
        manifest = manifest_of(tmp_path, [f"{i}.jpg" for i in range(3)])
        small, large = Geometry(size=32), Geometry(size=40, resize="pad")
        rows = np.array([2, 0, 1])
        (batch,) = read_batches(manifest, [rows], [small, large, small], workers=2)
        assert [images.shape[1] for images in batch.images] == [32, 40, 32]
        assert batch.images[0] is batch.images[2]
        for geometry, images in zip((small, large), batch.images, strict=False):
            expected = [decode_image(photograph(row), geometry) for row in rows]
            assert np.array_equal(images, np.stack(expected))

    def test_bad_images_do_not_stay_in_memory_until_their_batch_is_taken(
        self, one_image, monkeypatch
    ):
        kept, all_begun = [], threading.Event()

        class Pixels:
            pass

        def fail(*args):
            pixels = Pixels()
            kept.append(weakref.ref(pixels))
            if len(kept) == 6:
                all_begun.set()
            raise ImageDecodeError("something", reason=Status.CORRUPT)

        monkeypatch.setattr(reading, "read_image", fail)
        batches = read_batches(one_image, [np.array([0, 0])] * 3, [SQUARE], workers=1, ahead=2)
        assert next(batches).status.tolist() == [Status.CORRUPT] * 2
        assert all_begun.wait(5)
        assert [pixels() for pixels in kept[:5]] == [None] * 5
        batches.close()

    def test_only_a_bounded_number_is_decoded_ahead(self, one_image):
        asked = []

        def rows():
            for i in range(50):
                asked.append(i)
                yield np.array([0])

        batches = read_batches(one_image, rows(), [SQUARE], workers=2, ahead=2)
        next(batches)
        assert len(asked) == 3
        batches.close()

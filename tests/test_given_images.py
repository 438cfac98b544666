"""Images that were never listed: files as they are, and arrays."""

import os

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ImageDecodeError
from pipeline.images import Geometry, decode_image, given, read_file, read_given
from pipeline.records import Status
from tests.conftest import save_photo

SMALL, PADDED = Geometry(size=16), Geometry(size=24, resize="pad")


def test_a_file_is_decoded_as_a_listed_one(tmp_path):
    path = save_photo(tmp_path / "a.jpg", seed=3)
    decoded = read_given(path, [SMALL, PADDED, SMALL])
    for pixels, shape in zip(decoded.pixels, [SMALL, PADDED, SMALL], strict=True):
        np.testing.assert_array_equal(pixels, decode_image(path.read_bytes(), shape))
    np.testing.assert_array_equal(read_given(str(path), [SMALL]).pixels[0], decoded.pixels[0])


@pytest.mark.parametrize("shape", [SMALL, PADDED, Geometry(size=9, resize="squash")])
def test_an_array_is_what_its_file_is(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 47, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (by_array,), (by_file,) = (
        read_given(image, [shape]).pixels for image in (pixels, tmp_path / "a.png")
    )
    np.testing.assert_array_equal(by_array, by_file)


def test_an_array_need_not_lie_in_order_and_is_left_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (47, 30, 3), np.uint8)
    turned = pixels.transpose(1, 0, 2)[:, ::-1]
    before = pixels.copy()
    decoded = read_given(turned, [SMALL])
    np.testing.assert_array_equal(decoded.pixels[0], read_given(turned.copy(), [SMALL]).pixels[0])
    assert decoded.size == (47, 30)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("shape", "status"), [((0, 4, 3), Status.EMPTY), ((11, 10, 3), Status.TOO_LARGE)]
)
def test_arrays_of_no_size_or_too_large_are_none(monkeypatch, shape, status):
    monkeypatch.setattr(given, "MAX_PIXELS", 100)
    with pytest.raises(ImageDecodeError) as caught:
        read_given(np.zeros(shape, np.uint8), [SMALL])
    assert caught.value.reason == status


def test_what_is_no_file_to_read_has_its_reason(tmp_path, monkeypatch):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "large").write_bytes(b"12345")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(given, "MAX_BYTES", 4)
    for name, status in (
        ("gone", Status.UNREADABLE),
        ("empty", Status.EMPTY),
        ("large", Status.TOO_LARGE),
        ("pipe", Status.UNREADABLE),  # opening it would wait for ever
        (".", Status.UNREADABLE),
        ("a\0b", Status.UNREADABLE),
        ("n" * 300, Status.UNREADABLE),
    ):
        with pytest.raises(ImageDecodeError) as caught:
            read_file(tmp_path / name)
        assert caught.value.reason == status, name

import hashlib
import io
import os

import numpy as np
import pytest
from PIL import Image

from pipeline.images import Thumbnail, decode_image, read_thumbnails, reading
from pipeline.images.geometry import Fitted, Geometry
from tests.faults.pictures import encode, exif_of, photograph, quadrants, solid


def thumbnails_of(root, files, **options):
    for name, data in files.items():
        (root / name).write_bytes(data)
    digests = [hashlib.sha256(data).digest() for data in files.values()]
    sha256 = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
    options = {"side": 64, "quality": 95, "n_workers": 2, **options}
    return read_thumbnails(root, list(files), sha256=sha256, **options)


def thumbnail_of(tmp_path, data, **options) -> Thumbnail:
    (made,) = thumbnails_of(tmp_path, {"a": data}, **options)
    return made


def opened(thumbnail) -> Image.Image:
    image = Image.open(io.BytesIO(thumbnail.data))
    assert image.format == "WEBP"
    assert image.mode == "RGB"
    return image


@pytest.mark.parametrize(
    ("size", "expected"),
    [((200, 100), (64, 32)), ((100, 200), (32, 64)), ((3000, 3), (64, 1)), ((64, 64), (64, 64))],
)
def test_the_whole_picture_fits_into_the_square(tmp_path, size, expected):
    made = thumbnail_of(tmp_path, encode(solid("red", size)))
    assert opened(made).size == expected
    assert made.size == size


def test_a_small_picture_is_not_enlarged(tmp_path):
    assert opened(thumbnail_of(tmp_path, encode(solid("red", (32, 20))))).size == (32, 20)


def test_a_photo_that_is_decoded_at_a_fraction_has_its_own_size(tmp_path):
    data = photograph(size=(801, 403))
    made = thumbnail_of(tmp_path, data)
    assert made.size == (801, 403)
    fair = Image.open(io.BytesIO(data)).resize((64, 32), Image.Resampling.BICUBIC)
    difference = np.asarray(opened(made), float) - np.asarray(fair, float)
    assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_picture_and_its_size(tmp_path, orientation):
    image = quadrants().resize((48, 96))
    data = encode(image, exif=exif_of(orientation))
    made = thumbnail_of(tmp_path, data)
    assert made.size == ((48, 96) if orientation < 5 else (96, 48))
    square = decode_image(data, Geometry(size=32, resize="squash"))
    seen = np.asarray(opened(made).resize((32, 32)), float)
    corners = np.ix_([4, 27], [4, 27])
    assert np.abs(seen[corners] - square[corners]).max() < 30


def test_transparency_is_white(tmp_path):
    made = thumbnail_of(tmp_path, encode(solid((255, 0, 0, 0), mode="RGBA")))
    assert (np.asarray(opened(made)) > 250).all()


def test_quality_costs_bytes(tmp_path):
    data = photograph(size=(200, 150))
    small, large = (len(thumbnail_of(tmp_path, data, quality=q).data) for q in (30, 90))
    assert small < large * 0.75


def test_a_bad_a_changed_and_a_missing_image_have_none_and_stop_nothing(tmp_path):
    good = encode(solid("red"))
    files = {"0.png": good, "1.png": b"no image", "2.png": good[:-30], "3.png": good, "4.png": good}
    assert all(thumbnails_of(tmp_path, {"0.png": good, "3.png": good}))
    digests = [hashlib.sha256(data).digest() for data in files.values()]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "3.png").write_bytes(encode(solid("blue")))
    (tmp_path / "4.png").unlink()
    made = read_thumbnails(
        tmp_path,
        list(files),
        sha256=np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32),
        side=64,
        quality=75,
        n_workers=1,
    )
    assert [thumbnail is not None for thumbnail in made] == [True, False, False, False, False]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    made = read_thumbnails(
        tmp_path,
        ["pipe.png", "folder.png", "no\0name.png"],
        sha256=np.zeros((3, 32), np.uint8),
        side=64,
        quality=75,
        n_workers=1,
    )
    assert made == [None, None, None]


def test_rows_keep_their_order_over_many_jobs(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_ROWS_A_JOB", 3)
    files = {f"{i}.png": encode(solid((20 * i, 0, 0), (10 + i, 10))) for i in range(10)}
    progress = []
    made = thumbnails_of(
        tmp_path, files, n_workers=3, on_progress=lambda *counts: progress.append(counts)
    )
    assert [thumbnail.size[0] for thumbnail in made] == list(range(10, 20))
    assert progress == [(3, 10), (6, 10), (9, 10), (10, 10)]


def test_no_images(tmp_path):
    assert thumbnails_of(tmp_path, {}) == []


def test_as_many_pixels_are_spared_as_for_a_square_of_that_side():
    assert Fitted(side=64).spare_scale(640, 640) == pytest.approx(10 / 3)
    assert Fitted(side=64).spare_scale(32, 32) < 1

import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from pipeline.images import reading
from pipeline.images.colours import N_COLOURS, colour_histograms
from tests.conftest import TINTS


def digests(root, paths):
    made = [hashlib.sha256((root / path).read_bytes()).digest() for path in paths]
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 32)


def histograms_of(root, paths, **options):
    return colour_histograms(root, paths, **{"n_workers": 2, **options})


def save(path, pixels):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path.name


def test_shares_lie_in_the_boxes_of_their_colours(tmp_path):
    pixels = np.zeros((40, 40, 3))
    pixels[:, :20] = (255, 0, 64)  # 16 * 3 + 4 * 0 + 1
    pixels[:, 20:] = (63, 128, 192)  # 16 * 0 + 4 * 2 + 3
    name = save(tmp_path / "a.png", pixels)
    found, ok = histograms_of(tmp_path, [name], sha256=digests(tmp_path, [name]))
    assert found.dtype == np.float32
    assert found.shape == (1, N_COLOURS)
    assert ok.tolist() == [True]
    assert found[0, 49] == pytest.approx(0.5, abs=0.05)
    assert found[0, 11] == pytest.approx(0.5, abs=0.05)
    assert found.sum() == pytest.approx(1)


def test_a_small_picture_is_counted_pixel_by_pixel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    name = save(tmp_path / "a.png", pixels)
    found, _ = histograms_of(tmp_path, [name], sha256=digests(tmp_path, [name]))
    expected, _ = np.histogramdd(pixels.reshape(-1, 3), bins=[[0, 64, 128, 192, 256]] * 3)
    np.testing.assert_allclose(found[0], expected.ravel() / 1024, atol=1e-7)


def test_rows_keep_their_order_over_many_jobs(photos, monkeypatch):
    monkeypatch.setattr(reading, "_ROWS_A_JOB", 5)
    paths = sorted(str(p.relative_to(photos)) for p in photos.rglob("*.jpg"))
    progress = []
    found, ok = histograms_of(
        photos,
        paths,
        sha256=digests(photos, paths),
        n_workers=3,
        on_progress=lambda *counts: progress.append(counts),
    )
    assert ok.all()
    assert progress == [(min(done, 36), 36) for done in range(5, 41, 5)]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    box = {name: 16 * (r // 64) + 4 * (g // 64) + b // 64 for name, (r, g, b) in TINTS.items()}
    for row, path in enumerate(paths):
        near = [found[row, b : b + 1].sum() for b in box.values()]
        assert list(box)[int(np.argmax(near))] == path.split("/")[0]


def test_a_bad_a_changed_and_a_missing_image_have_none_and_stop_nothing(tmp_path):
    good = np.full((8, 8, 3), 200)
    names = [save(tmp_path / f"{i}.png", good) for i in range(5)]
    (tmp_path / "1.png").write_bytes(b"no image")
    data = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(data[: len(data) // 2])
    sha256 = digests(tmp_path, names)
    save(tmp_path / "3.png", good // 2)
    (tmp_path / "4.png").unlink()
    found, ok = histograms_of(tmp_path, names, sha256=sha256)
    assert ok.tolist() == [True, False, False, False, False]
    assert (found[1:] == 0).all()


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    names = ["pipe.png", "folder.png", "no\0name.png"]
    _, ok = histograms_of(tmp_path, names, sha256=np.zeros((3, 32), np.uint8))
    assert not ok.any()


def test_no_images(tmp_path):
    found, ok = histograms_of(tmp_path, [], sha256=np.zeros((0, 32), np.uint8))
    assert found.shape == (0, N_COLOURS)
    assert ok.shape == (0,)

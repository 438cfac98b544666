"""Generated images, and a backbone that computes nothing but the mean colour."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[1]
REAL_DATA = Path(os.environ.get("TRANSFER_VALUES_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


class MeanColourEngine:
    """Mean red, green and blue of each image, 0-1: a deterministic backbone of width 3."""

    name = "mean-colour"
    device = "cpu"
    width = 3
    widths: tuple[int, ...] = (3,)
    image_sizes = (32,)
    versions: Mapping[str, str] = {"numpy": np.__version__}

    def __init__(self, batch_size: int = 4) -> None:
        self.batch_size = batch_size
        self.n_images = 0

    def infer_many(self, batches):
        for (images,) in batches:
            assert images.dtype == np.uint8
            assert len(images) <= self.batch_size
            self.n_images += len(images)
            yield images.mean(axis=(1, 2), dtype=np.float64).astype(np.float32) / 255


@pytest.fixture
def engine() -> MeanColourEngine:
    return MeanColourEngine()


def save_photo(path: Path, *, seed: int, tint: tuple[int, int, int] = (0, 0, 0)) -> Path:
    """Write a small noisy JPEG that is unlike any other seed's."""
    noise = np.random.default_rng(seed).integers(0, 60, (24, 32, 3))
    pixels = np.clip(noise + np.array(tint), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="JPEG", quality=95)
    return path


TINTS = {"blue": (0, 0, 180), "green": (0, 180, 0), "red": (180, 0, 0)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three classes with twelve photos each, easy to tell apart by colour."""
    root = tmp_path / "photos"
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            save_photo(root / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    return root


@pytest.fixture
def real_data() -> Path:
    """The folder of real photographs, which the repository does not carry."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"needs real photographs in {REAL_DATA} (or in $TRANSFER_VALUES_TEST_DATA)")
    return REAL_DATA

"""Fits on stores that were never extracted: two classes of images, of which the values are made."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import LoadedModel, load_model
from pipeline.config import FitConfig
from pipeline.stages.fit import fit
from tests.made_stores import make_store

WIDTH = 6
N_PER_CLASS = 60
CLASSES = ("cat", "dog")
CENTRES = np.array([[4, 4, 0, 0, 0, 0], [0, 0, 4, 4, 0, 0]], np.float32)
UNLIKE = np.array([0, 0, 0, 0, 4, 4], np.float32)


def make_values(noise, labels):
    """Put noise, 0-1, around the centre of each row's class."""
    return noise + CENTRES[labels]


def draw_like_training(n, *, seed=1):
    """Values of n images of each class that nobody trained on, and their labels."""
    labels = np.repeat([0, 1], n)
    noise = np.random.default_rng(seed).random((2 * n, WIDTH), np.float32)
    return make_values(noise, labels), labels


def blur(values):
    """Add noise in which the classes are no longer told apart without mistakes."""
    rng = np.random.default_rng(int(1e6 * values[0, 0]))
    return (values + 4 * rng.normal(size=values.shape)).astype(np.float32)


@pytest.fixture
def make_fit(tmp_path):
    """Make a store and a fit on it; `contents` maps paths to what is in the images."""

    def make(
        contents=None, *, tweak=None, n_per_class=N_PER_CLASS, **settings
    ) -> tuple[Path, LoadedModel]:
        if contents is None:
            names = [f"{name}/{i:03}.jpg" for name in CLASSES for i in range(n_per_class)]
            contents = {name: name for name in names}
        labels = np.array([name.startswith("dog") for name in contents], int)

        def place(noise):
            values = make_values(noise, labels)
            return values if tweak is None else tweak(values)

        folder = tmp_path / f"cache{len(list(tmp_path.iterdir()))}"
        store = make_store(folder, contents, tweak=place, width=WIDTH)
        config = FitConfig(**{"tune": False, **settings})
        return store, load_model(fit(store, config).folder)

    return make

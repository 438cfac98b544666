"""Networks are freed after each test; third-party warnings that are not ours are let through."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.backbones.quiet_keras import keras

# NumPy 2 warns about how Keras 3.15 turns a TensorFlow variable into an array.
KERAS_READS_A_VARIABLE = (
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(KERAS_READS_A_VARIABLE))


@pytest.fixture(autouse=True)
def _free_networks():
    yield
    keras.backend.clear_session()


def pattern(size: int, *, shift: int = 0) -> np.ndarray:
    """A picture of gradients, the same on every machine: uint8 of shape (size, size, 3)."""
    y, x = np.mgrid[:size, :size]
    channels = [3 * x + y + shift, x + 2 * y, x * y // 16]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.fixture
def noise() -> np.ndarray:
    """Four random images: uint8 of shape (4, 64, 64, 3)."""
    return np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)

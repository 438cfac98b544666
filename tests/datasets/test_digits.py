import numpy as np
from sklearn.datasets import load_digits

from pipeline.datasets.digits import read_digits


def test_digits_are_scaled_to_eight_bits_without_loss():
    images, labels = read_digits()
    original = load_digits()
    assert images.shape == (1797, 16, 16)
    assert images.dtype == labels.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    ink = 255 - images
    assert np.array_equal(np.rint(ink[:, 4:12, 4:12] * (16 / 255)), original.images)
    assert not ink[:, :4].any()
    assert not ink[:, :, 12:].any()
    assert np.array_equal(labels, original.target)

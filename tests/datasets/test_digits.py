import numpy as np
from sklearn.datasets import load_digits

from pipeline.datasets.digits import read_digits


def test_digits_are_scaled_to_eight_bits_without_loss():
    images, labels = read_digits()
    original = load_digits()
    assert images.shape == (1797, 8, 8)
    assert images.dtype == labels.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert np.array_equal(np.rint(images * (16 / 255)), original.images)
    assert np.array_equal(labels, original.target)

import gzip
import struct

import numpy as np
import pytest

from pipeline.datasets import arrays
from pipeline.datasets.arrays import check_labels, read_cifar, read_cifar_folder, read_idx
from pipeline.errors import DatasetError


def make_cifar(labels: list[tuple[int, ...]], seed: int = 0) -> tuple[bytes, np.ndarray]:
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 32, 32, 3), np.uint8)
    rows = [
        bytes(label) + image.transpose(2, 0, 1).tobytes()
        for label, image in zip(labels, images, strict=True)
    ]
    return b"".join(rows), images


def make_idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_cifar10_planes_become_rgb_pixels():
    data, expected = make_cifar([(3,), (9,)])
    images, labels = read_cifar(data, source="x", label_bytes=1, n_classes=10)
    assert np.array_equal(images, expected)
    assert labels.tolist() == [3, 9]
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous


def test_cifar100_takes_the_fine_label():
    data, expected = make_cifar([(19, 99), (0, 7)])
    images, labels = read_cifar(data, source="x", label_bytes=2, n_classes=100)
    assert np.array_equal(images, expected)
    assert labels.tolist() == [99, 7]


@pytest.mark.parametrize("change", [b"", b"more"])
def test_cifar_of_a_wrong_size_is_refused(change):
    data = make_cifar([(1,)])[0] + change if change else b""
    with pytest.raises(DatasetError, match=r"b\.bin is not a CIFAR batch: .* multiple of 3073"):
        read_cifar(data, source="b.bin", label_bytes=1, n_classes=10)


def test_cifar_with_an_impossible_label_is_refused():
    with pytest.raises(DatasetError, match="expected labels from 0 to 9, got 10"):
        read_cifar(make_cifar([(10,)])[0], source="x", label_bytes=1, n_classes=10)


def test_a_cifar_folder_keeps_the_order_of_the_batches(tmp_path):
    inside = tmp_path / "cifar-10-batches-bin"
    inside.mkdir()
    for number in range(1, 6):
        (inside / f"data_batch_{number}.bin").write_bytes(make_cifar([(number,)], number)[0])
    with pytest.raises(DatasetError, match=r"a\.tgz has no test_batch\.bin\. Expected the binary"):
        read_cifar_folder(tmp_path, source=tmp_path / "a.tgz", n_classes=10)
    (inside / "test_batch.bin").write_bytes(make_cifar([(0,)])[0])
    parts = read_cifar_folder(tmp_path, source=tmp_path / "a.tgz", n_classes=10)
    assert parts["train"][1].tolist() == [1, 2, 3, 4, 5]
    assert parts["test"][1].tolist() == [0]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("shape", [(2, 28, 28), (5,)])
def test_idx(pack, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = pack(make_idx(array))
    assert np.array_equal(read_idx(data, source="x", n_dimensions=len(shape)), array)


LABELS = make_idx(np.zeros(5, np.uint8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begin with 00000801, got nothing"),
        (make_idx(np.zeros((1, 2, 2), np.uint8)), "got 00000803"),
        (b"\0\0\x0d\x01" + LABELS[4:], "got 00000d01"),
        (LABELS[:-1], r"x is cut off or damaged: expected 13 bytes for the shape \(5,\), got 12"),
        (LABELS + b"1", "got 14"),
        (gzip.compress(LABELS, mtime=0)[:-9], "x is cut off"),
        (gzip.compress(LABELS, mtime=0)[:-8] + bytes(8), "not a whole gzip file"),
    ],
)
def test_idx_that_is_not_what_it_says_is_refused(data, message):
    with pytest.raises(DatasetError, match=message):
        read_idx(data, source="x", n_dimensions=1)


def test_a_gzip_bomb_is_stopped(monkeypatch):
    monkeypatch.setattr(arrays, "MAX_IDX_BYTES", 1000)
    with pytest.raises(DatasetError, match="holds more than 1,000 bytes"):
        read_idx(gzip.compress(bytes(100_000)), source="x", n_dimensions=1)


def test_no_labels_are_no_wrong_labels():
    check_labels(np.zeros(0, np.uint8), source="x", n_classes=1)
    with pytest.raises(DatasetError, match="got 1"):
        check_labels(np.ones(1, np.uint8), source="x", n_classes=1)

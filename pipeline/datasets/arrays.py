"""Read the array files of CIFAR and MNIST.

References
----------
A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version"
Y. LeCun et al., http://yann.lecun.com/exdb/mnist/, "File formats"
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DatasetError

ImagesAndLabels = tuple[NDArray[np.uint8], NDArray[np.uint8]]

# By the number of classes: the files of each split.
CIFAR_BATCHES: dict[int, dict[str, tuple[str, ...]]] = {
    10: {
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    },
    100: {"train": ("train.bin",), "test": ("test.bin",)},
}
CIFAR_LABEL_BYTES = {10: 1, 100: 2}
CIFAR_SIDE = 32
CIFAR_PIXEL_BYTES = 3 * CIFAR_SIDE * CIFAR_SIDE
IDX_PREFIXES = {"train": "train", "test": "t10k"}
IDX_UINT8 = 0x08
MAX_IDX_BYTES = 10**9  # MNIST's largest file is 47 MB; a gzip of zeros grows a thousandfold


def read_cifar_folder(folder: Path, *, source: Path, n_classes: int) -> dict[str, ImagesAndLabels]:
    """Read the unpacked binary version of CIFAR-10 or CIFAR-100.

    Parameters
    ----------
    folder : Path
        The batches may lie in a sub-folder of it.
    source : Path
        The archive, for messages.
    n_classes : int
        10 or 100.

    Returns
    -------
    dict
        `train` and `test`, each images and labels; see `read_cifar`.
    """
    parts = {}
    for split, names in CIFAR_BATCHES[n_classes].items():
        batches = []
        for name in names:
            path = next(folder.rglob(name), None)
            if path is None:
                raise DatasetError(
                    f"{source} has no {name}. Expected the binary version of CIFAR-{n_classes}, "
                    f"cifar-{n_classes}-binary.tar.gz."
                )
            batches.append(
                read_cifar(
                    path.read_bytes(),
                    source=f"{source}, {name}",
                    label_bytes=CIFAR_LABEL_BYTES[n_classes],
                    n_classes=n_classes,
                )
            )
        images, labels = zip(*batches, strict=True)
        parts[split] = np.concatenate(images), np.concatenate(labels)
    return parts


def read_idx_files(paths: Mapping[str, Path], *, n_classes: int) -> dict[str, ImagesAndLabels]:
    """Read the four files of MNIST or a data set made like it.

    Parameters
    ----------
    paths : mapping of str to Path
        By their own names, such as `train-images-idx3-ubyte.gz`.
    n_classes : int

    Returns
    -------
    dict
        `train` and `test`, each images (n_images, height, width) and labels (n_images,).
    """
    parts = {}
    for split, prefix in IDX_PREFIXES.items():
        images_path = paths[f"{prefix}-images-idx3-ubyte.gz"]
        labels_path = paths[f"{prefix}-labels-idx1-ubyte.gz"]
        images = read_idx(images_path.read_bytes(), source=str(images_path), n_dimensions=3)
        labels = read_idx(labels_path.read_bytes(), source=str(labels_path), n_dimensions=1)
        check_labels(labels, source=str(labels_path), n_classes=n_classes)
        if len(images) != len(labels):
            raise DatasetError(
                f"{images_path} has {len(images)} images but {labels_path} {len(labels)} labels."
            )
        parts[split] = images, labels
    return parts


def read_cifar(data: bytes, *, source: str, label_bytes: int, n_classes: int) -> ImagesAndLabels:
    """Read one binary batch of CIFAR-10 or CIFAR-100.

    Parameters
    ----------
    data : bytes
        Rows of label bytes followed by 1024 red, 1024 green and 1024 blue values.
    source : str
        The file, for messages.
    label_bytes : int
        1 for CIFAR-10; 2 for CIFAR-100, whose second one, the fine label, is taken.
    n_classes : int

    Returns
    -------
    images : uint8 ndarray of shape (n_images, 32, 32, 3)
        RGB, 0-255.
    labels : uint8 ndarray of shape (n_images,)
    """
    row_bytes = label_bytes + CIFAR_PIXEL_BYTES
    if not data or len(data) % row_bytes:
        raise DatasetError(
            f"{source} is not a CIFAR batch: expected a multiple of {row_bytes} bytes, got "
            f"{len(data)}."
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, row_bytes)
    labels = rows[:, label_bytes - 1].copy()
    check_labels(labels, source=source, n_classes=n_classes)
    planes = rows[:, label_bytes:].reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def read_idx(data: bytes, *, source: str, n_dimensions: int) -> NDArray[np.uint8]:
    """Read an array of bytes in MNIST's idx format, gzipped or not.

    Parameters
    ----------
    data : bytes
        Two zeros, the type (8 is uint8), the number of dimensions, each as a big-endian uint32,
        then the values.
    source : str
        The file, for messages.
    n_dimensions : int
        3 for images, 1 for labels.
    """
    if data.startswith(b"\x1f\x8b"):
        data = _gunzip(data, source)
    header_bytes = 4 + 4 * n_dimensions
    magic = bytes((0, 0, IDX_UINT8, n_dimensions))
    if len(data) < header_bytes or data[:4] != magic:
        raise DatasetError(
            f"{source} is not an idx file of {n_dimensions} dimension(s): expected it to begin "
            f"with {magic.hex()}, got {data[:4].hex() or 'nothing'}."
        )
    shape = struct.unpack(f">{n_dimensions}I", data[4:header_bytes])
    expected = header_bytes + math.prod(shape)
    if len(data) != expected:
        raise DatasetError(
            f"{source} is cut off or damaged: expected {expected} bytes for the shape {shape}, "
            f"got {len(data)}."
        )
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(shape)


def check_labels(labels: NDArray[np.uint8], *, source: str, n_classes: int) -> None:
    """Raise DatasetError if a label is none of the classes."""
    if labels.size and int(labels.max()) >= n_classes:
        raise DatasetError(
            f"{source} is damaged: expected labels from 0 to {n_classes - 1}, got "
            f"{int(labels.max())}."
        )


def _gunzip(data: bytes, source: str) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unpacker.decompress(data, MAX_IDX_BYTES)
    except zlib.error as exc:
        raise DatasetError(f"{source} is not a whole gzip file: {exc}.") from exc
    if not unpacker.eof:
        raise DatasetError(
            f"{source} is cut off, or holds more than {MAX_IDX_BYTES:,} bytes. Remove it and run "
            "the same command again."
        )
    return content

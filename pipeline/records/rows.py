"""Rows: the images of a data set, decoded batches of them, and their transfer values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.records.names import encode_names


class Split(IntEnum):
    """Which part of the data a row was given to by whoever made the data set."""

    NONE = 0
    TRAIN = 1
    VAL = 2
    TEST = 3


class Status(IntEnum):
    """What became of one row: 0 is a row of numbers, anything else says why it is not one."""

    OK = 0
    UNREADABLE = 1
    EMPTY = 2
    NOT_AN_IMAGE = 3
    FORMAT_NOT_ALLOWED = 4
    CORRUPT = 5
    TOO_LARGE = 6
    CHANGED = 7
    NOT_FINITE = 8
    PENDING = 255

    @property
    def reason(self) -> str:
        """The words that skipped.csv and the report use."""
        return _REASONS[self]


_REASONS = {
    Status.OK: "ok",
    Status.UNREADABLE: "cannot be read",
    Status.EMPTY: "zero bytes",
    Status.NOT_AN_IMAGE: "not an image",
    Status.FORMAT_NOT_ALLOWED: "image format not supported",
    Status.CORRUPT: "corrupt or truncated image",
    Status.TOO_LARGE: "over 100 megapixels or 1 GiB",
    Status.CHANGED: "changed since it was listed",
    Status.NOT_FINITE: "the network gave a value that is not finite",
    Status.PENDING: "not extracted yet",
}


class Oddity(IntFlag):
    """What was unusual about an image that was decoded all the same; counted, never refused."""

    WRONG_EXTENSION = 1
    TRAILING_BYTES = 2
    CMYK = 4
    GREY = 8
    BILEVEL = 16
    PALETTE = 32
    TRANSPARENT = 64
    SIXTEEN_BIT = 128
    ROTATED = 256
    BROKEN_EXIF = 512
    ANIMATED = 1024

    @property
    def words(self) -> str:
        """What the reports call one of them."""
        return _ODDITIES[self]


_ODDITIES = {
    Oddity.WRONG_EXTENSION: "of another format than the name says",
    Oddity.TRAILING_BYTES: "with bytes after the end of the image",
    Oddity.CMYK: "CMYK, converted to RGB",
    Oddity.GREY: "grey",
    Oddity.BILEVEL: "black and white, 1 bit",
    Oddity.PALETTE: "with a palette",
    Oddity.TRANSPARENT: "transparent, put on white",
    Oddity.SIXTEEN_BIT: "16-bit, scaled to 8 bits",
    Oddity.ROTATED: "turned upright by EXIF",
    Oddity.BROKEN_EXIF: "with broken EXIF, not turned",
    Oddity.ANIMATED: "animated, first frame taken",
}

UNLABELLED = ("",)
"""The `class_names` of images of which nobody said what they show; no class is called so."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Manifest:
    """The images of a data set in their final order, as columns of equal length.

    Attributes
    ----------
    name : str
        Name of the data set; also the folder its stores lie in.
    root : Path
        Folder that `paths` count from.
    paths : tuple of str
        Relative POSIX paths, in ascending order of their bytes. File names that are not UTF-8
        carry surrogate escapes (see `os.fsencode`).
    labels : int32 ndarray of shape (n_samples,)
        Index into `class_names`.
    class_names : tuple of str
        In alphanumeric order.
    split : uint8 ndarray of shape (n_samples,)
        `Split` values; all `Split.NONE` where the data set comes without a split.
    group : int32 ndarray of shape (n_samples,)
        Index into `group_names`, -1 for none.
    group_names : tuple of str
    size : int64 ndarray of shape (n_samples,)
        Bytes of each file.
    sha256 : uint8 ndarray of shape (n_samples, 32)
        SHA-256 of each file's bytes.
    ignored : mapping of str to int
        How many files were passed over without being counted as found, by reason.
    """

    name: str
    root: Path
    paths: tuple[str, ...]
    labels: NDArray[np.int32]
    class_names: tuple[str, ...]
    split: NDArray[np.uint8]
    group: NDArray[np.int32]
    group_names: tuple[str, ...]
    size: NDArray[np.int64]
    sha256: NDArray[np.uint8]
    ignored: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def digest(self) -> str:
        """SHA-256 over every row's path, content hash, label, split and group, in order.

        Labels are part of it, not only ids and contents: a CSV whose labels were corrected is
        another data set although no image changed, and its labels must not come from an old store.
        """
        digest = hashlib.sha256()
        for column in (encode_names(self.paths), encode_names(self.class_names)):
            digest.update(len(column).to_bytes(8, "little") + column)
        for array in (self.sha256, self.labels, self.split, self.group):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(encode_names(self.group_names))
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageBatch:
    """Decoded images on their way to the backbones.

    Attributes
    ----------
    images : tuple of uint8 ndarray of shape (n_images, height, width, 3)
        RGB, 0-255, one array for each geometry that was asked for, and the same array for equal
        ones; a row whose status is not OK is zeros and must not be kept.
    status : uint8 ndarray of shape (n_images,)
        `Status` values.
    oddities : uint16 ndarray of shape (n_images,)
        `Oddity` flags; 0 for a row whose status is not OK.
    """

    images: tuple[NDArray[np.uint8], ...]
    status: NDArray[np.uint8]
    oddities: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleTable:
    """What a complete store says of its usable rows, all but their transfer values.

    Attributes
    ----------
    labels : int32 ndarray of shape (n_samples,)
        Index into `class_names`.
    class_names : tuple of str
    split : uint8 ndarray of shape (n_samples,)
        `Split` values.
    group : int32 ndarray of shape (n_samples,)
        Index into `group_names`, -1 for none.
    group_names : tuple of str
    sha256 : uint8 ndarray of shape (n_samples, 32)
    paths : tuple of str
    root : str
        Folder that `paths` count from.
    dataset : str
    source : str
        What --dataset was: a name, a folder or a table; empty where that was not kept.
    model : str
    key : str
        The recipe's key.
    recipe : mapping
    content_sha256 : str
        Digest over everything the store committed, in hexadecimal.
    n_features : int
        Transfer values a row, of all views.
    n_found : int
        Images found, skipped ones included: n_found = n_samples + the sum of `skipped`.
    skipped : mapping of str to int
        How many images were skipped, by reason.
    oddities : mapping of str to int
        How many of the usable images were unusual, by `Oddity.words`; one may count twice.
    """

    labels: NDArray[np.int32]
    class_names: tuple[str, ...]
    split: NDArray[np.uint8]
    group: NDArray[np.int32]
    group_names: tuple[str, ...]
    sha256: NDArray[np.uint8]
    paths: tuple[str, ...]
    root: str
    dataset: str
    source: str
    model: str
    key: str
    recipe: Mapping[str, Any]
    content_sha256: str
    n_features: int
    n_found: int
    skipped: Mapping[str, int]
    oddities: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureTable(SampleTable):
    """The usable rows of a complete store with their transfer values, as stage two wants them.

    Attributes
    ----------
    features : float32 ndarray of shape (n_samples, n_features)
    """

    features: NDArray[np.float32]

"""What flows between the stages: plain frozen records, no behaviour beyond their own fields."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 1

OnProgress = Callable[[int, int], None]
"""Called with what is done and the total, 0 while that is unknown."""


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
    Status.TOO_LARGE: "over 100 megapixels",
    Status.CHANGED: "changed since it was listed",
    Status.NOT_FINITE: "the network gave a value that is not finite",
    Status.PENDING: "not extracted yet",
}


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


def encode_names(names: tuple[str, ...]) -> bytes:
    """Join names into one byte blob, each ended by a NUL, which no file name can contain."""
    return b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in names)


def decode_names(blob: bytes) -> tuple[str, ...]:
    """Split what `encode_names` joined."""
    return tuple(name.decode("utf-8", "surrogateescape") for name in blob.split(b"\0")[:-1])


def csv_path(path: str) -> str:
    """Return a relative path as it is safe in a CSV that a spreadsheet opens.

    A cell that begins with = + - or @ would run as a formula. "./" in front names the same file.
    """
    return f"./{path}" if path[:1] in "=+-@\t\r" else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the numbers in a store. Two equal recipes share one store.

    Library versions, engine, device, host and batch size are provenance, not recipe.
    """

    manifest_digest: str
    model: str
    weights_sha256: str
    layers: tuple[str, ...]
    pooling: str
    input_size: int
    resize: str
    crop_fraction: float
    interpolation: str
    preprocessing: str
    precision: str
    dtype: str = "float32"
    decoder: str = "pillow"
    colour: str = "rgb"
    alpha: str = "composite on white"
    exif: str = "orientation applied"
    sixteen_bit: str = "scaled to 8 bits"
    format_version: int = FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "layers": list(self.layers)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from `to_dict`."""
        return cls(**{**fields, "layers": tuple(fields["layers"])})

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of the recipe, in hexadecimal."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageBatch:
    """Decoded images on their way to a backbone.

    Attributes
    ----------
    images : uint8 ndarray of shape (n_images, height, width, 3)
        RGB, 0-255; a row whose status is not OK is zeros and must not be kept.
    status : uint8 ndarray of shape (n_images,)
        `Status` values.
    """

    images: NDArray[np.uint8]
    status: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureTable:
    """The usable rows of a complete store, as stage two wants them.

    Attributes
    ----------
    features : float32 ndarray of shape (n_samples, n_features)
    labels : int32 ndarray of shape (n_samples,)
        Index into `class_names`.
    class_names : tuple of str
    split : uint8 ndarray of shape (n_samples,)
        `Split` values.
    group : int32 ndarray of shape (n_samples,)
        -1 for none.
    sha256 : uint8 ndarray of shape (n_samples, 32)
    paths : tuple of str
    root : str
        Folder that `paths` count from.
    dataset : str
    model : str
    key : str
        The recipe's key.
    recipe : mapping
    content_sha256 : str
        Digest over everything the store committed, in hexadecimal.
    n_found : int
        Images found, skipped ones included: n_found = n_samples + the sum of `skipped`.
    skipped : mapping of str to int
        How many images were skipped, by reason.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int32]
    class_names: tuple[str, ...]
    split: NDArray[np.uint8]
    group: NDArray[np.int32]
    sha256: NDArray[np.uint8]
    paths: tuple[str, ...]
    root: str
    dataset: str
    model: str
    key: str
    recipe: Mapping[str, Any]
    content_sha256: str
    n_found: int
    skipped: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one fit did and how well: the content of metrics.json, numbers as JSON has them.

    Attributes
    ----------
    dataset, model, clf : str
    key, store : str
        Of the transfer values that were classified: the recipe's key, the store's file name.
    root : str
        Folder that the paths of `mistakes` count from.
    n_found, n_train, n_test : int
        Images; n_found = n_train + n_test + the sum of `skipped`.
    skipped : mapping of str to int
        Images that have no transfer values, by reason.
    split : str
        How the test rows were chosen.
    class_names : tuple of str
    confusion_matrix : tuple of tuple of int, of shape (n_classes, n_classes)
        Rows are the true classes, columns the predicted ones.
    accuracy, balanced_accuracy, macro_f1, baseline : float
        On the test rows, 0-1; `baseline` always answers the most frequent class of the
        training rows.
    accuracy_ci : tuple of float
        95 % Wilson score interval of the accuracy.
    per_class : tuple of mapping
        ``name precision recall f1 n_test n_train`` of each class, in class order; a ratio with
        nothing to divide by is None.
    confused_pairs : tuple of mapping
        ``true predicted count``, most frequent first.
    mistakes : tuple of mapping
        ``path true predicted score`` of the wrong answers given with most confidence.
    score_kind : str
        "probability", or "decision" where the classifier has none.
    cv : mapping or None
        ``n_folds mean std scores``: accuracy of cross-validation within the training rows.
    fit_seconds : float
        The fit alone: without reading the transfer values, without cross-validation.
    settings : mapping
        `FitConfig.to_dict()`, with the C that was used.
    notes : tuple of str
        Sentences on what a reader could stumble over.
    """

    dataset: str
    model: str
    clf: str
    key: str
    store: str
    root: str
    n_found: int
    n_train: int
    n_test: int
    skipped: Mapping[str, int]
    split: str
    class_names: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    accuracy: float
    accuracy_ci: tuple[float, float]
    balanced_accuracy: float
    macro_f1: float
    baseline: float
    per_class: tuple[Mapping[str, Any], ...]
    confused_pairs: tuple[Mapping[str, Any], ...]
    mistakes: tuple[Mapping[str, Any], ...]
    score_kind: str
    cv: Mapping[str, Any] | None
    fit_seconds: float
    settings: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Report:
        """Rebuild a report from `to_dict`, also after a way through JSON."""
        rebuilt: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        rebuilt["confusion_matrix"] = tuple(tuple(row) for row in fields["confusion_matrix"])
        return cls(**rebuilt)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitResult:
    """A fit's report, and where the fit lies.

    Attributes
    ----------
    report : Report
    folder : Path or None
        None if the cache is read-only, which `report.notes` then says.
    reused : bool
        Whether it was there already and nothing was computed.
    """

    report: Report
    folder: Path | None
    reused: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        folder = None if self.folder is None else str(self.folder)
        return {**self.report.to_dict(), "folder": folder, "reused": self.reused}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What `extract` did, or found done.

    Attributes
    ----------
    store : Path
    dataset, model : str
    n_found, n_cached, n_features : int
        Images found, rows with values, values a row.
    skipped : mapping of str to int
        How many images were skipped, by reason: n_found = n_cached + their sum.
    skipped_csv : Path or None
        The list of them.
    n_computed : int
        Rows that this call computed; the others were there.
    seconds : float
        Of this call, from the first image to the last.
    engine : str or None
        Engine and device; None if nothing was computed.
    """

    store: Path
    dataset: str
    model: str
    n_found: int
    n_cached: int
    n_features: int
    skipped: Mapping[str, int]
    skipped_csv: Path | None
    n_computed: int = 0
    seconds: float = 0.0
    engine: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "store": str(self.store),
            "dataset": self.dataset,
            "model": self.model,
            "n_found": self.n_found,
            "n_cached": self.n_cached,
            "n_features": self.n_features,
            "skipped": dict(self.skipped),
            "skipped_csv": str(self.skipped_csv) if self.skipped_csv else None,
            "n_computed": self.n_computed,
            "seconds": round(self.seconds, 3),
            "engine": self.engine,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an extraction would cost, measured on every image and one batch.

    Attributes
    ----------
    n_images, n_classes, n_features : int
    skipped : mapping of str to int
        Images that would be skipped, by reason.
    seconds : float
        Expected duration: the slower of decoding and inference, since they overlap.
    megabytes : float
        Size of the store before compression, 10⁶ bytes.
    engine : str
    """

    n_images: int
    n_classes: int
    n_features: int
    skipped: Mapping[str, int]
    seconds: float
    megabytes: float
    engine: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "n_images": self.n_images,
            "n_classes": self.n_classes,
            "n_features": self.n_features,
            "skipped": dict(self.skipped),
            "seconds": round(self.seconds, 1),
            "megabytes": round(self.megabytes, 2),
            "engine": self.engine,
        }

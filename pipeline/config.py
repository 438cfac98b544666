"""Settings of the stages: frozen, checked when made, defaults in one place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

POOLINGS = ("avg", "max", "none")
RESIZES = ("crop", "squash", "pad")
PRECISIONS = ("float32", "bfloat16", "auto")
DTYPES = ("float32", "float16")
AUGMENTS = ("none", "hflip")
CLASSIFIERS = ("logreg", "svm", "linear-svm", "mlp", "knn", "ridge")
ALL = "all"
TAKES_C = ("logreg", "svm", "linear-svm")
TAKES_CLASS_WEIGHT = (*TAKES_C, "ridge")
SPLITS = ("stratified", "stable")
EXPORTS = {
    "keras": ".keras",
    "onnx": ".onnx",
    "openvino": ".xml",
    "tflite": ".tflite",
    "npz": ".npz",
}
"""What a fit can be written as, and how such a file's name ends."""
OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("cosine", "constant")
DISTORTIONS = ("hflip", "shift", "zoom", "rotate", "colour")
LAST_BLOCK = "last-block"


def check_choice(flag: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ConfigError unless `value` is one of `choices`."""
    if value not in choices:
        raise ConfigError(f"{flag} must be one of {', '.join(choices)}. Got: {value!r}.")


def parse_duration(text: str) -> float:
    """Return a duration in seconds; it is written as 90s, 30m, 2h or 1h30m.

    Raises
    ------
    ConfigError
        If it is written in another way.
    """
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if match is None or not text:
        raise ConfigError(f"A duration is written as 90s, 30m, 2h or 1h30m. Got: {text!r}.")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def parse_count(flag: str, text: str) -> int | None:
    """Return a whole number, or None for "auto".

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError as exc:
        raise ConfigError(f"{flag} must be auto or a whole number. Got: {text!r}.") from exc


def check_at_least(flag: str, value: int | float | None, smallest: int | float) -> None:
    """Raise ConfigError unless `value` is None or at least `smallest`."""
    if value is not None and value < smallest:
        raise ConfigError(f"{flag} must be at least {smallest}. Got: {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """What `extract` was asked to do; None leaves the choice to the backbone or the machine.

    `max_time` is in seconds.
    """

    dataset: str = "digits"
    model: str = "efficientnet-lite0"
    data_dir: Path = Path("data")
    cache_dir: Path = Path("cache")
    label_column: str | None = None
    weights: str = "imagenet"
    image_size: int | None = None
    resize: str | None = None
    layers: tuple[str, ...] = ()
    pooling: str = "avg"
    limit: int | None = None
    augment: str = "none"
    views: int = 1
    batch_size: int | None = None
    workers: int | None = None
    device: str = "auto"
    precision: str = "float32"
    dtype: str = "float32"
    overwrite: bool = False
    max_time: float | None = None

    def __post_init__(self) -> None:
        check_choice("--pooling", self.pooling, POOLINGS)
        if self.resize is not None:
            check_choice("--resize", self.resize, RESIZES)
        check_choice("--augment", self.augment, AUGMENTS)
        if self.views not in (1, 2):
            raise ConfigError(f"--views must be 1 or 2. Got: {self.views}.")
        if self.views == 2 and self.augment == "none":
            raise ConfigError(
                "--views 2 keeps the mirror image's values, too: add --augment hflip."
            )
        check_choice("--precision", self.precision, PRECISIONS)
        check_choice("--dtype", self.dtype, DTYPES)
        check_at_least("--image-size", self.image_size, 1)
        if len(set(self.layers)) < len(self.layers):
            raise ConfigError(f"--layer is given twice: {', '.join(self.layers)}.")
        check_at_least("--limit", self.limit, 1)
        check_at_least("--batch-size", self.batch_size, 1)
        check_at_least("--workers", self.workers, 1)
        if self.max_time is not None and not 0 < self.max_time < math.inf:
            raise ConfigError(f"--max-time must be longer than nothing. Got: {self.max_time} s.")

    def to_dict(self) -> dict[str, Any]:
        """Return, as JSON values, the fields that describe what is made, not how one run ends."""
        fields = asdict(self)
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in fields.items()
            if name not in ("overwrite", "max_time")
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """What `fit` was asked to do.

    `C` of None is tuned, or the classifier's own default where `tune` is off. `stream` of None is
    chosen by the memory that is free. `group_by` is a column of the data set's table, or a regular
    expression for paths.
    """

    clf: str = "logreg"
    C: float | None = None
    tune: bool = True
    class_weight: str | None = None
    split: str = "stratified"
    test_size: float = 0.2
    group_by: str | None = None
    shots: int | None = None
    seed: int = 42
    cv: int | None = None
    learning_curve: bool = False
    stream: bool | None = None

    def __post_init__(self) -> None:
        check_choice("--clf", self.clf, CLASSIFIERS)
        if self.class_weight is not None:
            check_choice("--class-weight", self.class_weight, ("balanced",))
            self._check_taken("--class-weight", self.class_weight, TAKES_CLASS_WEIGHT)
        if self.C is not None:
            if not 0 < self.C < math.inf:
                raise ConfigError(f"--C must be a finite number greater than 0. Got: {self.C}.")
            self._check_taken("--C", f"{self.C:g}", TAKES_C)
        check_choice("--split", self.split, SPLITS)
        if not 0 < self.test_size < 1:
            raise ConfigError(f"--test-size must lie between 0 and 1. Got: {self.test_size}.")
        check_at_least("--shots", self.shots, 1)
        check_at_least("--seed", self.seed, 0)
        check_at_least("--cv", self.cv, 2)

    def _check_taken(self, flag: str, value: str, takers: tuple[str, ...]) -> None:
        if self.clf not in takers:
            raise ConfigError(
                f"{flag} is a setting of {', '.join(takers)}. Got: --clf {self.clf} {flag} "
                f"{value}. Leave out {flag}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


# What works for the last blocks of a network whose batch normalisation stays as it is.
_LEARNING_RATES = {"adam": 3e-4, "adamw": 3e-4, "rmsprop": 1e-4, "sgd": 1e-2}


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """How `finetune` was asked to train the last layers of a network, and a head behind them.

    `unfreeze_from` is "last-block", the name of a layer, or the number of one. `head` are the
    units of the hidden layers in front of the last one. `learning_rate` of None is the optimizer's
    own. `patience` counts epochs without a better validation accuracy, None never stops.
    `cache_frozen` of None keeps the frozen part's output where `augment` allows it.
    """

    unfreeze_from: str = LAST_BLOCK
    head: tuple[int, ...] = ()
    dropout: float = 0.2
    batch_norm: bool = False
    optimizer: str = "adam"
    learning_rate: float | None = None
    schedule: str = "cosine"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    epochs: int = 10
    batch_size: int = 64
    patience: int | None = 5
    validation_size: float = 0.1
    augment: tuple[str, ...] = ()
    cache_frozen: bool | None = None
    mixed_precision: bool = False
    tensorboard: Path | None = None

    def __post_init__(self) -> None:
        check_choice("--optimizer", self.optimizer, OPTIMIZERS)
        check_choice("--schedule", self.schedule, SCHEDULES)
        for kind in self.augment:
            check_choice("--augment", kind, DISTORTIONS)
        if len(set(self.augment)) < len(self.augment):
            raise ConfigError(f"--augment is given twice: {', '.join(self.augment)}.")
        for units in self.head:
            check_at_least("--head", units, 1)
        check_at_least("--epochs", self.epochs, 1)
        check_at_least("--batch-size", self.batch_size, 1)
        check_at_least("--patience", self.patience, 1)
        check_at_least("--weight-decay", self.weight_decay, 0)
        if not 0 < self.rate < math.inf:
            raise ConfigError(f"--learning-rate must be greater than 0. Got: {self.rate}.")
        for flag, share in (
            ("--dropout", self.dropout),
            ("--label-smoothing", self.label_smoothing),
        ):
            if not 0 <= share < 1:
                raise ConfigError(f"{flag} must be at least 0 and below 1. Got: {share}.")
        if not 0 < self.validation_size < 1:
            raise ConfigError(
                f"--validation-size must lie between 0 and 1. Got: {self.validation_size}."
            )
        if self.cache_frozen and not self._can_cache:
            raise ConfigError(
                "--cache-frozen keeps one output of the frozen part for each image, or two with "
                f"--augment hflip. Got: --augment {' --augment '.join(self.augment)}. Leave out "
                "--cache-frozen, or the others."
            )

    @property
    def rate(self) -> float:
        """The learning rate, the optimizer's own if none was given."""
        own = _LEARNING_RATES[self.optimizer]
        return own if self.learning_rate is None else self.learning_rate

    @property
    def caches(self) -> bool:
        """Whether the frozen part's output is to be computed once and kept."""
        return self._can_cache if self.cache_frozen is None else self.cache_frozen

    @property
    def _can_cache(self) -> bool:
        return set(self.augment) <= {"hflip"}

    def to_dict(self) -> dict[str, Any]:
        """Return, as JSON values, what decides the outcome."""
        fields = {**asdict(self), "learning_rate": self.rate, "cache_frozen": self.caches}
        del fields["tensorboard"]
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in fields.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseConfig:
    """On how many training images `advise` tries layers, and how many seconds that may take."""

    limit: int = 2_000
    max_time: float = 300.0
    seed: int = 42
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_at_least("--limit", self.limit, 1)
        check_at_least("--seed", self.seed, 0)
        if not 0 < self.max_time < math.inf:
            raise ConfigError(f"--max-time must be longer than nothing. Got: {self.max_time} s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What a fit must reach to be usable: shares, 0-1; `min_recall` by class name."""

    min_accuracy: float | None = None
    min_recall: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for flag, least in (
            ("--min-accuracy", self.min_accuracy),
            *((f"--min-recall {name}", least) for name, least in self.min_recall.items()),
        ):
            if least is not None and not 0 <= least <= 1:
                raise ConfigError(f"{flag} is a share from 0 to 1. Got: {least}.")

"""Settings of the stages: frozen, checked when made, defaults in one place."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

POOLINGS = ("avg", "max", "none")
RESIZES = ("crop", "squash", "pad")
PRECISIONS = ("float32", "bfloat16", "auto")
DTYPES = ("float32", "float16")
AUGMENTS = ("none", "hflip")
CLASSIFIERS = ("logreg", "svm", "linear-svm", "mlp", "knn")


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
    """What `fit` was asked to do. `C` of None takes the classifier's own default."""

    clf: str = "logreg"
    C: float | None = None
    test_size: float = 0.2
    seed: int = 42
    cv: int | None = None
    class_weight: str | None = None

    def __post_init__(self) -> None:
        check_choice("--clf", self.clf, CLASSIFIERS)
        if self.class_weight is not None:
            check_choice("--class-weight", self.class_weight, ("balanced",))
        if self.C is not None and not 0 < self.C < math.inf:
            raise ConfigError(f"--C must be a finite number greater than 0. Got: {self.C}.")
        if not 0 < self.test_size < 1:
            raise ConfigError(f"--test-size must lie between 0 and 1. Got: {self.test_size}.")
        check_at_least("--seed", self.seed, 0)
        check_at_least("--cv", self.cv, 2)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

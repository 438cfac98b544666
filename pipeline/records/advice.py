"""What is found out about a data set before anything is fitted on it, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How well a linear classifier does on what one layer gives, in cross-validation.

    Attributes
    ----------
    layer : str
        Empty for the last one.
    width : int
        Values an image.
    accuracy, low, high : float
        0-1, with its 95 % interval.
    """

    layer: str
    width: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A late and an early layer tried on the same training images.

    Attributes
    ----------
    n_images : int
        That were tried.
    n_wanted : int
        That should have been; fewer were if the time was over, or images could not be used.
    most_frequent : float
        Share of the class that most of them are of, 0-1.
    late, early : Probe or None
        None if the images are too few to be cross-validated on.
    difference : tuple of float, or None
        Accuracy of the late layer minus that of the early one, and the ends of its 95 % interval.
    was_cut : bool
        Whether the time was over before all were computed.
    """

    n_images: int
    n_wanted: int
    most_frequent: float
    late: Probe | None
    early: Probe | None
    difference: tuple[float, float, float] | None
    was_cut: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        fields = asdict(self)
        return {**fields, "difference": self.difference and list(self.difference)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Probed:
        """Rebuild it from `to_dict`, also after a way through JSON."""
        probes = {
            name: None if fields[name] is None else Probe(**fields[name])
            for name in ("late", "early")
        }
        difference = None if fields["difference"] is None else tuple(fields["difference"])
        return cls(**{**fields, **probes, "difference": difference})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many images there are to train on.

    Attributes
    ----------
    n_images : int
        In all.
    n_train : int
        That `fit` would train on.
    n_classes : int
    smallest, median, largest : int
        Training images of a class.
    """

    n_images: int
    n_train: int
    n_classes: int
    smallest: int
    median: int
    largest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command to run, and why."""

    why: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Which of the four cases of transfer a data set is, and what to do.

    Attributes
    ----------
    dataset, model : str
    counts : Counts
    probed : Probed
    size : str
        "small", "large", or "between".
    likeness : str
        To what the network was trained on: "similar", "different", or "unknown".
    case : int or None
        1 small and similar, 2 large and similar, 3 small and different, 4 large and different;
        None if it cannot be told.
    reasons : tuple of str
        Sentences on what all this follows from, and how sure it is.
    steps : tuple of Step
        The first is the advice.
    reused : bool
        Whether the images were probed by an earlier run.
    """

    dataset: str
    model: str
    counts: Counts
    probed: Probed
    size: str
    likeness: str
    case: int | None
    reasons: tuple[str, ...]
    steps: tuple[Step, ...]
    reused: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            **asdict(self),
            "probed": self.probed.to_dict(),
            "reasons": list(self.reasons),
            "steps": [asdict(step) for step in self.steps],
        }

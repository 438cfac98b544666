"""What a classifier says of one image that it was shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = "unknown"
"""The label of an image that is unlike all that the classifier was fitted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is said of one image.

    Attributes
    ----------
    path : str
        Of the image, as it was given; empty if it was given as an array.
    classes : tuple of str
        The most probable class first, as many as were asked for; empty if there is a reason.
    probabilities : tuple of float
        Of `classes`, 0-1; empty if the classifier has none.
    scores : tuple of float
        Decision scores of `classes`, if the classifier has no probabilities: comparable with each
        other, and on no scale of their own.
    reason : str
        Why nothing could be said, in the words of skipped.csv; empty if something is said.
    distance : float or None
        How far the transfer values are from those of the training images, if that was asked.
    is_unknown : bool
        Whether that is further than nearly all of them are from each other.
    label_set : tuple of str or None
        Classes one of which is the right one, at the coverage that was asked for; None if none
        was. The most probable first.
    """

    path: str
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    reason: str = ""
    distance: float | None = None
    is_unknown: bool = False
    label_set: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """The answer: a class, "unknown", or nothing if there is a reason."""
        if self.reason:
            return ""
        return UNKNOWN if self.is_unknown else self.classes[0]

    @property
    def probability(self) -> float | None:
        """Probability of the most probable class; None if there is none."""
        return self.probabilities[0] if self.probabilities else None

    def to_dict(self) -> dict[str, Any]:
        """Return, as JSON values, the fields that this answer has."""
        fields: dict[str, Any] = {"path": self.path, "label": self.label or None}
        if self.reason:
            return {**fields, "reason": self.reason}
        fields["classes"] = list(self.classes)
        if self.probabilities:
            fields["probabilities"] = list(self.probabilities)
        if self.scores:
            fields["scores"] = list(self.scores)
        if self.distance is not None:
            # JSON has no infinity.
            fields["distance"] = self.distance if math.isfinite(self.distance) else None
            fields["is_unknown"] = self.is_unknown
        if self.label_set is not None:
            fields["label_set"] = list(self.label_set)
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What `predict` came to.

    Attributes
    ----------
    source : str
        The fit's folder, or the network that named the images itself.
    model, clf : str
        `clf` is empty where the network itself answered.
    kind : str
        "probability" or "score".
    n_images : int
        All that were given.
    counts : dict of str to int
        How often each label was given, the most frequent first, with "unknown" among them.
    skipped : dict of str to int
        How many images could not be used, by reason.
    seconds : float
        From opening the network to the last answer.
    """

    source: str
    model: str
    clf: str
    kind: str
    n_images: int
    counts: dict[str, int]
    skipped: dict[str, int]
    seconds: float

    @property
    def n_skipped(self) -> int:
        """Images that could not be used."""
        return sum(self.skipped.values())

    def to_dict(self, answers: Sequence[Answer] | None = None) -> dict[str, Any]:
        """Return the fields as JSON values, with the answers if they are given."""
        fields: dict[str, Any] = {
            "source": self.source,
            "model": self.model,
            "clf": self.clf or None,
            "kind": self.kind,
            "n_images": self.n_images,
            "n_skipped": self.n_skipped,
            "skipped": self.skipped,
            "counts": self.counts,
            "seconds": round(self.seconds, 3),
        }
        if answers is not None:
            fields["answers"] = [answer.to_dict() for answer in answers]
        return fields

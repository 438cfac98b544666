"""What counts and a probe say: which case it is, why, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.records import Counts, Probed, write_percent

SMALL_IMAGES, SMALL_A_CLASS = 2_000, 100
"""With fewer training images, or fewer of the median class, training a network overfits."""

LARGE_IMAGES, LARGE_A_CLASS = 5_000, 200
"""From here on it has been seen to pay: see docs/accuracy.md. Rules of thumb, both pairs."""

NEARLY_ALL, SURELY = 0.99, 0.97
"""Accuracy of the last layer's values, and the lower end of its interval, from which on there is
little that training could add."""

CASES = {
    ("small", "similar"): 1,
    ("large", "similar"): 2,
    ("small", "different"): 3,
    ("large", "different"): 4,
}


def count_images(labels: Any, train: Any, *, n_classes: int) -> Counts:
    """Return how many images there are to train on.

    Parameters
    ----------
    labels : integer ndarray of shape (n_samples,)
    train : intp ndarray
        The rows that `fit` would train on.
    n_classes : int
    """
    of_class = np.bincount(labels[train], minlength=n_classes)
    return Counts(
        n_images=len(labels),
        n_train=len(train),
        n_classes=n_classes,
        smallest=int(of_class.min()),
        median=int(np.median(of_class)),
        largest=int(of_class.max()),
    )


def judge_size(counts: Counts) -> str:
    """Return "small", "large", or "between"."""
    if counts.n_train < SMALL_IMAGES or counts.median < SMALL_A_CLASS:
        return "small"
    if counts.n_train >= LARGE_IMAGES and counts.median >= LARGE_A_CLASS:
        return "large"
    return "between"


def tells_classes(probed: Probed) -> bool:
    """Tell whether either layer does better than naming the most frequent class."""
    probes = [probe for probe in (probed.late, probed.early) if probe is not None]
    return any(probe.low > probed.most_frequent for probe in probes)


def judge_likeness(probed: Probed) -> str:
    """Return "similar", "different", or "unknown".

    Where the last layer's values tell the classes apart better than those of an earlier one, the
    images are like those that the last layers were trained for; where they do worse, they are not.
    Both only if chance does not explain the difference.
    """
    if probed.difference is None or not tells_classes(probed):
        return "unknown"
    _, low, high = probed.difference
    return "similar" if low > 0 else "different" if high < 0 else "unknown"


def has_little_to_gain(probed: Probed) -> bool:
    """Tell whether the last layer's values are nearly all that is needed."""
    late = probed.late
    return late is not None and late.accuracy >= NEARLY_ALL and late.low >= SURELY


def say_why(counts: Counts, probed: Probed) -> Iterator[str]:
    """Yield sentences on what was counted and measured, and what it does and does not show."""
    yield _say_size(counts)
    if probed.difference is None or probed.late is None or probed.early is None:
        yield (
            f"{probed.n_images:,} usable training images are too few to try layers on: nothing is "
            "known of how well the network suits them."
        )
        return
    if probed.was_cut:
        yield (
            f"The time was over after {probed.n_images:,} of {probed.n_wanted:,} images; a longer "
            "--max-time tells more."
        )
    if not tells_classes(probed):
        yield (
            "Neither layer does better than always naming the most frequent class "
            f"({write_percent(probed.most_frequent)} %): the labels may be wrong, the classes may "
            "not be visible, or the images are too few to show it."
        )
        return
    yield _say_likeness(probed)
    if has_little_to_gain(probed):
        yield (
            "The last layer's values name nearly all of them correctly: there is little that "
            "training the network could add."
        )


def _say_size(counts: Counts) -> str:
    size = judge_size(counts)
    words = {"small": "few", "large": "many", "between": "neither few nor many"}[size]
    return (
        f"{counts.n_train:,} training images, {counts.median:,} of the median class, are {words} "
        f"by a rule of thumb (few: below {SMALL_IMAGES:,} or {SMALL_A_CLASS} a class; many: from "
        f"{LARGE_IMAGES:,} and {LARGE_A_CLASS} a class on)."
    )


def _say_likeness(probed: Probed) -> str:
    difference, low, high = probed.difference or (0.0, 0.0, 0.0)
    likeness = judge_likeness(probed)
    if likeness == "similar":
        return (
            f"The last layer's values do better than an earlier layer's, by "
            f"{_points(difference, low, high)}: these images are like those that the network was "
            "trained on."
        )
    if likeness == "different":
        return (
            f"An earlier layer's values do better than the last one's, by "
            f"{_points(-difference, -high, -low)}: the last layers were trained for images of "
            "another kind."
        )
    return (
        "Which layer does better cannot be told (last minus earlier: "
        f"{_points(difference, low, high)}), and so not whether these images are like those that "
        "the network was trained on."
    )


def _points(difference: float, low: float, high: float) -> str:
    return f"{100 * difference:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"

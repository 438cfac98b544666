"""Counts and probes that nothing was measured for."""

from pipeline.records import Counts, Probe, Probed


def make_counts(*, n_train=1_200, n_classes=4, median=300):
    return Counts(
        n_images=n_train + n_train // 4,
        n_train=n_train,
        n_classes=n_classes,
        smallest=median,
        median=median,
        largest=median,
    )


def make_probe(accuracy, *, layer="", margin=0.02):
    return Probe(
        layer=layer,
        width=64,
        accuracy=accuracy,
        low=accuracy - margin,
        high=min(1.0, accuracy + margin),
    )


def make_probed(late=0.9, early=0.8, *, margin=0.03, most_frequent=0.25, **changes):
    difference = late - early
    fields = {
        "n_images": 1_000,
        "n_wanted": 1_000,
        "most_frequent": most_frequent,
        "late": make_probe(late),
        "early": make_probe(early, layer="block4_pool"),
        "difference": (difference, difference - margin, difference + margin),
        "was_cut": False,
    }
    return Probed(**{**fields, **changes})

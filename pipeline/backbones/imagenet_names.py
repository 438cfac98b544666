"""What ImageNet's 1,000 classes are called; light to import, and needs no download."""

from __future__ import annotations

import csv
import functools
import importlib.resources


@functools.cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the names of ImageNet's 1,000 classes in the order of the networks' outputs.

    Names of several words for one thing are joined with commas: "tench, Tinca tinca". No two are
    the same.
    """
    return tuple(row["name"] for row in _read())


@functools.cache
def imagenet_ids() -> tuple[str, ...]:
    """Return the classes' WordNet numbers, such as "n01440764", in the same order."""
    return tuple(row["wnid"] for row in _read())


def _read() -> list[dict[str, str]]:
    table = importlib.resources.files("pipeline.backbones") / "imagenet_classes.csv"
    with table.open("r", encoding="utf-8") as file:
        return list(csv.DictReader(file))

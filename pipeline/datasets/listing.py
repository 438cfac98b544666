"""What a layout reader hands over: labelled rows, before anything is opened or hashed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipeline.records import Split

SPLIT_NAMES = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "dev": Split.VAL,
    "test": Split.TEST,
    "testing": Split.TEST,
}
"""What a given split is called, in lower case; upper case means the same."""


class Row(NamedTuple):
    """One labelled file. `path` is relative and POSIX; an empty `group` is none."""

    path: str
    label: str
    split: Split = Split.NONE
    group: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows in no particular order, the folder they count from, and what was passed over."""

    root: Path
    rows: tuple[Row, ...]
    ignored: Counter[str] = field(default_factory=Counter)


def describe_ignored(ignored: Counter[str]) -> str:
    """Return the counts as words, such as `2 hidden, 1 link loop`; empty for none."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(ignored.items()) if count)

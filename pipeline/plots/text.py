"""Names in figures: they are a user's text, of any length and any characters."""

from __future__ import annotations

import unicodedata

from pipeline.records import printable

_WIDE = ("W", "F")
"""East Asian characters as wide as two others."""


def label(name: str, width: int = 28) -> str:
    """Return a name as a figure can show it: on one line, and not longer than there is room for.

    The middle goes, since names tend to differ at their beginnings and their ends.

    Parameters
    ----------
    name : str
    width : int
        In characters, of which East Asian ones count twice.
    """
    shown = printable(name)
    if measure(shown) <= width:
        return shown
    tail = _fit(shown[::-1], (width - 1) // 2)[::-1]
    return f"{_fit(shown, width - 1 - measure(tail))}…{tail}"


def lines(title: str, width: int = 28) -> str:
    """Return the lines of a title, each as `label` makes it."""
    return "\n".join(label(line, width) for line in title.split("\n"))


def measure(text: str) -> int:
    """Return how many characters wide a text is, of which East Asian ones count twice."""
    return sum(1 + (unicodedata.east_asian_width(c) in _WIDE) for c in text)


def _fit(text: str, width: int) -> str:
    """Return as much of the beginning of a text as fits."""
    used = 0
    for i, character in enumerate(text):
        used += measure(character)
        if used > width:
            return text[:i]
    return text

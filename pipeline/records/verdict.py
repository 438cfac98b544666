"""What a fit comes to in two sentences, before anything decides how it is written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of a report within a sentence.

    Attributes
    ----------
    path : str
        Into `Report.to_dict`, keys and indices with dots between; or what was counted from it.
    value : float
    how : str
        "percent", "bare" (a percentage without its sign) or "count".
    counted : bool
        Whether the number does not stand in the report, but was counted from it.
    """

    path: str
    value: float
    how: str
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A name within a sentence: of a class, or of something that may hold digits."""

    name: str


Piece = str | Figure | Called
Sentence = tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a fit is worth, and what to know before it is used.

    Attributes
    ----------
    worth : tuple of str, Figure or Called
        How the accuracy stands against what it should beat. It begins with "That", which is the
        accuracy.
    caveats : tuple of str, Figure or Called
        What is confused most, what leaked, and whether more images would help.
    """

    worth: Sentence
    caveats: Sentence

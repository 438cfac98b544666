"""What a model card says of the file beside it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import SelfCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What a card says of the file itself.

    Attributes
    ----------
    file, format : str
    n_bytes : int
    check : SelfCheck or None
        None if it was left out.
    kept : str
        See `Head.kept`.
    source : tuple of (str, str, str)
        Name, kind ("imagenet", "file", "random") and origin of each backbone's weights.
    image_sizes : tuple of int
        Sides of what the backbones take, in pixels.
    """

    file: str
    format: str
    n_bytes: int
    check: SelfCheck | None
    kept: str
    source: tuple[tuple[str, str, str], ...]
    image_sizes: tuple[int, ...]

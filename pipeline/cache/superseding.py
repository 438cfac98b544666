"""Stores for which newer ones stand in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.cache.outline import Outline, used_at
from pipeline.records import UNLABELLED


def find_superseded(outlines: Iterable[Outline]) -> list[tuple[Outline, Outline]]:
    """Return complete stores for which a newer complete one stands in, each with the newest.

    Newer is what was completed, or found complete, later. Of images without labels each store is
    only what no other had.
    """
    newest_first = sorted(
        (
            outline
            for outline in outlines
            if outline.about.complete and outline.about.class_names != UNLABELLED
        ),
        key=lambda outline: used_at(outline.path),
        reverse=True,
    )
    pairs = []
    for place, old in enumerate(newest_first):
        new = next((new for new in newest_first[:place] if _stands_in(new, old)), None)
        if new is not None:
            pairs.append((old, new))
    return pairs


def _stands_in(new: Outline, old: Outline) -> bool:
    return _describe_values(new) == _describe_values(old) and _limit(new) >= _limit(old)


def _describe_values(outline: Outline) -> tuple[Any, ...]:
    """Return what two stores have in common of which one stands in for the other."""
    recipe = {**outline.about.recipe.to_dict(), "manifest_digest": ""}
    settings = outline.about.provenance.get("settings", {})
    # Two folders may be called the same, and a table's labels may come from two columns.
    return outline.about.dataset, outline.about.root, settings.get("label_column"), recipe


def _limit(outline: Outline) -> float:
    return outline.about.provenance.get("settings", {}).get("limit") or float("inf")

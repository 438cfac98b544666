"""A model card's recipe: from which settings and versions a file came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.model_card.markdown import escape
from pipeline.records import Report, flatten_recipe

_RECIPE = (
    ("model", "network"),
    ("layers", "layers"),
    ("pooling", "pooling"),
    ("input_size", "image size, pixels"),
    ("resize", "resizing"),
    ("interpolation", "interpolation"),
    ("preprocessing", "preprocessing"),
    ("augment", "mirroring"),
    ("precision", "precision of the transfer values"),
    ("dtype", "kept as"),
    ("weights_sha256", "weights, SHA-256"),
    ("manifest_digest", "images and labels, SHA-256"),
)


def describe_recipe(report: Report, about: Mapping[str, Any]) -> Iterator[str]:
    """Yield settings, digests and versions as a table."""
    recipe = flatten_recipe(report.recipe)
    yield "## Recipe"
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    for name, words in _RECIPE:
        if recipe.get(name) not in (None, [], ""):
            yield f"| {words} | {escape(str(recipe[name]))} |"
    for name, value in report.settings.get("used", {}).items():
        yield f"| {escape(str(name))} | {escape(str(value))} |"
    yield f"| fit | {escape(about['fit'])}, {escape(about['created'])} |"
    versions = ", ".join(f"{name} {number}" for name, number in sorted(about["versions"].items()))
    yield f"| written by | {escape(versions)} |"
    yield ""

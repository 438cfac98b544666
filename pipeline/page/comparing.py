"""A page about several fits: which is best, at what cost, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from pipeline.page.document import Section, render_document
from pipeline.page.numbers import Numbers, join_path
from pipeline.page.pictures import data_uri
from pipeline.page.rendering import FILTERED, show_name
from pipeline.records import ComparisonContent, printable


def render_comparison(content: ComparisonContent) -> str:
    """Return one HTML document with all there is to say and see of several fits.

    Parameters
    ----------
    content : ComparisonContent

    Returns
    -------
    str
        To be written as UTF-8. Its numbers say where they are in the fields ``fits`` and
        ``classes``; see `pipeline.page.numbers`.
    """
    fields = {
        "n_common": content.n_common,
        "n_disagreements": content.n_disagreements,
        "fits": list(map(dict, content.fits)),
        "classes": [_describe_class(each) for each in content.classes],
    }
    pictures = {path: data_uri(picture) for path, picture in content.pictures.items()}
    return render_document(
        "comparison.html.j2",
        title=f"{printable(content.dataset)} · {len(content.fits)} classifiers",
        sections=tuple(_list_sections(content)),
        content=content,
        classes=fields["classes"],
        best=next(i for i, fit in enumerate(content.fits) if fit["best"]),
        cheapest=next(i for i, fit in enumerate(content.fits) if fit["cheapest"]),
        metric=Numbers(fields).metric,
        at=join_path,
        name=show_name,
        picture=pictures.get,
        pareto=None if content.pareto is None else Markup(content.pareto.svg),  # noqa: S704  ours
        filtered=len(content.classes) >= FILTERED,
    )


def _describe_class(found: Any) -> dict[str, Any]:
    """Return the fields of a class, and how far apart the best and the worst recall of it are."""
    return {**asdict(found), "spread": max(found.recalls) - min(found.recalls)}


def _list_sections(content: ComparisonContent) -> Iterator[Section]:
    yield Section(anchor="answer", short="Answer", title="The answer")
    yield Section(anchor="fits", short="Fits", title="Side by side")
    if content.pareto is not None:
        yield Section(anchor="cost", short="Cost", title="What accuracy costs")
    yield Section(anchor="classes", short="Classes", title="Class by class")
    yield Section(anchor="disagreements", short="Disputed", title="Where they disagree")

"""A page about one fit: what it has sections for, and what each of them is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from pipeline.page.canvases import describe_map, describe_matrix
from pipeline.page.data_block import describe_content, runners_up
from pipeline.page.document import BASE_SCRIPTS, Section, render_document
from pipeline.page.numbers import Numbers, join_path, other_number
from pipeline.page.pictures import Pictures
from pipeline.records import PageContent, ScatterMap, printable

MATRIX_AS_TABLE = 30
"""Classes up to which the confusion matrix is a table."""

MAX_PAIRS = 20
CERTAIN = 0.99
"""Probability above which no answer is among the least certain."""

MAP_ORDER = ("t-SNE", "UMAP")
"""Maps that come first: what separates classes best; then all others."""

FILTERED = 15
"""Rows of a table from which on it can be filtered by name."""

REPORT_SCRIPTS = (*BASE_SCRIPTS, "gallery.js", "canvas.js", "matrix.js", "map.js", "report.js")


def render_page(content: PageContent) -> str:
    """Return one HTML document with all there is to say and see of a fit.

    It needs no other file and no network, and runs no script but its own. Every number of
    metrics.json says in its attributes which one it is; see `pipeline.page.numbers`.

    Parameters
    ----------
    content : PageContent

    Returns
    -------
    str
        To be written as UTF-8.
    """
    content = replace(content, maps=_order_maps(content))
    report = content.report
    numbers, pictures = Numbers(report.to_dict()), Pictures(content)
    n_classes = len(report.class_names)
    canvases: dict[str, Any] = {}
    if content.maps:
        canvases["map"] = describe_map()
    if n_classes > MATRIX_AS_TABLE:
        canvases["matrix"] = describe_matrix(n_classes)
    title = " · ".join(map(printable, (report.dataset, report.model, report.clf)))
    return render_document(
        "report.html.j2",
        scripts=REPORT_SCRIPTS,
        data={**describe_content(content), "canvases": canvases},
        with_bokeh=bool(canvases),
        title=title,
        sections=tuple(_list_sections(content)),
        content=content,
        report=report,
        metric=numbers.metric,
        derived=numbers.derived,
        other=other_number,
        at=join_path,
        name=show_name,
        pictures=pictures,
        score="percent" if report.score_kind == "probability" else "decision",
        matrix_as_table=n_classes <= MATRIX_AS_TABLE,
        filtered=n_classes >= FILTERED,
        pairs=_list_pairs(content),
        least_certain=_list_least_certain(content),
        most_training=max((scores["n_train"] for scores in report.per_class), default=0),
    )


def _order_maps(content: PageContent) -> tuple[ScatterMap, ...]:
    places = {method: place for place, method in enumerate(MAP_ORDER)}
    return tuple(sorted(content.maps, key=lambda drawn: places.get(drawn.method, len(places))))


def _list_sections(content: PageContent) -> Iterator[Section]:
    """Return the sections that have something to say."""
    report = content.report
    yield Section(anchor="answer", short="Answer", title="The answer")
    yield Section(anchor="matrix", short="Confusion", title="Confusion matrix")
    yield Section(anchor="classes", short="Classes", title="Classes")
    if report.mistakes or _find_uncertain(content):
        yield Section(anchor="mistakes", short="Mistakes", title="Mistakes and doubts")
    if content.maps:
        yield Section(anchor="map", short="Map", title="Map of the transfer values")
    drawn = bool(content.figures)
    if drawn or report.tuning or report.calibration or report.learning_curve or report.loss_curve:
        yield Section(anchor="curves", short="Curves", title="Curves")
    yield Section(anchor="checks", short="Checks", title="Checks: baselines, twins, labels")
    yield Section(anchor="skipped", short="Skipped", title="Skipped images")
    yield Section(anchor="data", short="Data", title="Data set")
    yield Section(anchor="origin", short="Provenance", title="Provenance")


def _list_pairs(content: PageContent) -> list[dict[str, Any]]:
    """Return the most confused pairs with the numbers of their classes."""
    labels = {name: label for label, name in enumerate(content.report.class_names)}
    pairs = content.report.confused_pairs[:MAX_PAIRS]
    return [{**pair, "cell": (labels[pair["true"]], labels[pair["predicted"]])} for pair in pairs]


def _list_least_certain(content: PageContent) -> list[Mapping[str, Any]]:
    rows, others = content.rows, runners_up(content.rows)
    names = content.report.class_names
    return [
        {
            "path": rows.paths[row],
            "predicted": names[rows.y_pred[row]],
            "score": float(rows.scores[row, rows.y_pred[row]]),
            "other": names[others[row]] if others[row] >= 0 else None,
            "other_score": float(rows.scores[row, others[row]]),
        }
        for row in _find_uncertain(content)
    ]


def _find_uncertain(content: PageContent) -> list[int]:
    """Return the least certain right answers that are uncertain at all."""
    rows = content.rows
    if content.report.score_kind != "probability":
        return list(content.least_certain)
    return [k for k in content.least_certain if rows.scores[k, rows.y_pred[k]] <= CERTAIN]


def show_name(text: str) -> Markup:
    """Return text that users chose, apart from the page's own words and their direction."""
    return Markup('<bdi class="name">{}</bdi>').format(printable(text))

"""Write the figures of a fit for a paper, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import plots
from pipeline.durable import write_file
from pipeline.errors import ClassifierError, ImageDecodeError
from pipeline.images import examine_image, read_checked
from pipeline.images.geometry import Fitted
from pipeline.records import Report
from pipeline.showing.drawings import draw_curves
from pipeline.showing.evidence import Evidence, find_samples, read_evidence
from pipeline.showing.maps import draw_maps
from pipeline.showing.pictures import choose_rows, find_least_certain
from pipeline.showing.tuning import draw_training

N_ERRORS = 12
SIDE = 224


def write_figures(
    folder: Path, to: Path, *, compute_maps: Sequence[str] = ("pca",)
) -> tuple[Path, ...]:
    """Write the figures of a fit: NAME.png and NAME.svg for each.

    Confusion matrix, curves, per-class bars, maps of the test images, and the mistakes that were
    made with most confidence. What there is nothing to draw for is left out.

    Parameters
    ----------
    folder : Path
        Of the fit.
    to : Path
        A folder, which is made if it is missing; figures of an earlier call are replaced.
    compute_maps : sequence of str
        "pca", "tsne", "umap".

    Returns
    -------
    tuple of Path

    Raises
    ------
    ClassifierError, CacheError
        If the fit or its store cannot be read, or a figure cannot be written.
    """
    evidence = read_evidence(folder)
    written: list[Path] = []
    try:
        for name, figure in _draw(evidence, compute_maps):
            for suffix, content in (("png", plots.to_png(figure)), ("svg", plots.to_svg(figure))):
                written.append(to / f"{name}.{suffix}")
                write_file(written[-1], content)
    except OSError as exc:
        raise ClassifierError(
            f"The figures could not be written to {to}: {exc}. Name another folder."
        ) from exc
    return tuple(written)


def _draw(evidence: Evidence, compute_maps: Sequence[str]) -> Iterator[tuple[str, plots.Figure]]:
    report = evidence.report
    yield "confusion", plots.draw_confusion(report.confusion_matrix, report.class_names)
    yield "per_class", plots.draw_per_class(report.per_class)
    curves = {**draw_curves(report, evidence.rows), **draw_training(evidence)}
    for name, (figure, _) in curves.items():
        yield name, figure
    rows, _ = choose_rows(evidence, find_least_certain(evidence))
    for drawn in draw_maps(evidence, rows, compute=compute_maps):
        shown = rows[drawn.rows]
        figure = plots.draw_map(
            drawn.points,
            evidence.rows.y_true[shown],
            ~evidence.is_correct[shown],
            report.class_names,
            title=f"{drawn.method} of the transfer values of {len(shown):,} test images",
            axes=drawn.axes,
        )
        yield drawn.method.lower().replace("-", ""), figure
    images, titles = _read_errors(evidence)
    if images:
        yield "errors", plots.draw_errors(images, titles)


def _read_errors(evidence: Evidence) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Return the most confident mistakes, the whole images, and what to write above."""
    samples, report = evidence.samples, evidence.report
    images: list[NDArray[np.uint8]] = []
    titles: list[str] = []
    if samples is None:
        return [], []
    mistakes = report.mistakes[:N_ERRORS]
    places = find_samples(samples, [mistake["path"] for mistake in mistakes])
    for mistake, place in zip(mistakes, places, strict=True):
        data = read_checked(Path(samples.root, mistake["path"]), samples.sha256[place].tobytes())
        if data is None:
            continue
        try:
            images.append(examine_image(data, [Fitted(side=SIDE)]).pixels[0])
        except ImageDecodeError:
            continue
        titles.append(f"{mistake['true']}\n→ {mistake['predicted']}{_say_score(report, mistake)}")
    return images, titles


def _say_score(report: Report, mistake: Mapping[str, Any]) -> str:
    return f"\n{100 * mistake['score']:.0f} %" if report.score_kind == "probability" else ""

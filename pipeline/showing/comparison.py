"""All that goes into the page about several fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import plots
from pipeline.artifacts import read_info
from pipeline.ranking import CommonRows, store_of
from pipeline.records import (
    ClassAcrossFits,
    ComparisonContent,
    Disagreement,
    StaticFigure,
)
from pipeline.showing.evidence import read_fitted_samples
from pipeline.showing.pictures import read_by_path, say_missing

MAX_DISAGREEMENTS = 120
SIDE, QUALITY = 128, 70


def gather_comparison(
    fits: Sequence[Mapping[str, Any]],
    rows: CommonRows,
    *,
    dataset: str,
    root: str,
    notes: Sequence[str] = (),
) -> ComparisonContent:
    """Gather what a page shows of several fits.

    Parameters
    ----------
    fits : sequence of mapping
        ``clf model folder accuracy accuracy_ci ms_per_image best cheapest …`` of each.
    rows : CommonRows
        Answers in the order of `fits`.
    dataset, root : str
    notes : sequence of str
    """
    names = _name_fits(fits)
    disputed, n_disputed = _list_disagreements(rows)
    folder = Path(fits[0]["folder"])
    samples, problem = read_fitted_samples(store_of(folder), read_info(folder))
    paths = [each.path for each in disputed]
    pictures: dict[str, bytes] = {}
    if samples is not None:
        pictures = read_by_path(samples, paths, side=SIDE, quality=QUALITY)
        problem = say_missing(len(paths) - len(pictures), len(paths), samples.root)
    return ComparisonContent(
        dataset=dataset,
        root=root,
        n_common=len(rows),
        fits=tuple(fits),
        names=names,
        classes=_measure_classes(rows),
        disagreements=disputed,
        n_disagreements=n_disputed,
        pictures=pictures,
        pareto=_draw_pareto(fits, names),
        notes=(*notes, *([problem] if problem else [])),
    )


def _name_fits(fits: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return short names that tell the fits apart: the classifier, the model, or the folder."""
    several_models = len({fit["model"] for fit in fits}) > 1
    names = [f"{fit['clf']} on {fit['model']}" if several_models else fit["clf"] for fit in fits]
    times = Counter(names)
    return tuple(
        name if times[name] == 1 else f"{name} ({Path(fit['folder']).name.rpartition('-')[2]})"
        for name, fit in zip(names, fits, strict=True)
    )


def _measure_classes(rows: CommonRows) -> tuple[ClassAcrossFits, ...]:
    measured = []
    for label, name in enumerate(rows.class_names):
        of_class = rows.y_true == label
        if of_class.any():
            recalls = rows.correct[:, of_class].mean(axis=1)
            measured.append(
                ClassAcrossFits(
                    name=name, n_test=int(of_class.sum()), recalls=tuple(map(float, recalls))
                )
            )
    return tuple(measured)


def _list_disagreements(rows: CommonRows) -> tuple[tuple[Disagreement, ...], int]:
    """Return images with different answers, and how many there are.

    First those that the best alone gets wrong, then those that it alone gets right, then the rest.
    """
    disputed = np.flatnonzero((rows.y_pred != rows.y_pred[0]).any(axis=0))
    n_right = rows.correct[:, disputed].sum(axis=0)
    best_right = rows.correct[0, disputed]
    oddness = np.where(best_right, n_right - 1, len(rows.y_pred) - 1 - n_right)
    shown = disputed[np.lexsort((disputed, oddness, best_right))][:MAX_DISAGREEMENTS]
    return tuple(
        Disagreement(
            path=rows.paths[row],
            true=rows.class_names[rows.y_true[row]],
            answers=tuple(rows.class_names[label] for label in rows.y_pred[:, row]),
        )
        for row in shown
    ), len(disputed)


def _draw_pareto(fits: Sequence[Mapping[str, Any]], names: Sequence[str]) -> StaticFigure | None:
    timed = [
        (name, fit)
        for name, fit in zip(names, fits, strict=True)
        if fit["ms_per_image"] is not None
    ]
    if len(timed) < 2:
        return None
    points = [
        (
            name,
            fit["ms_per_image"],
            fit["accuracy"],
            *fit["accuracy_ci"],
            not any(_dominates(other, fit) for _, other in timed),
        )
        for name, fit in timed
    ]
    figure = plots.draw_pareto(points)
    front = ", ".join(name for name, *_, on_front in points if on_front)
    return StaticFigure(
        svg=plots.to_inline_svg(figure, name="pareto"),
        alt=(
            "Accuracy against milliseconds an image. No other classifier is both quicker and at "
            f"least as accurate as: {front}."
        ),
    )


def _dominates(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    at_least = one["accuracy"] >= other["accuracy"] and one["ms_per_image"] <= other["ms_per_image"]
    return at_least and (one["accuracy"], one["ms_per_image"]) != (
        other["accuracy"],
        other["ms_per_image"],
    )

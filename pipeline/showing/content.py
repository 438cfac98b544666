"""All that goes into the page about a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.cache import read_skipped, skipped_csv
from pipeline.records import AnsweredRows, Explanation, OnProgress, PageContent
from pipeline.showing.drawings import draw_curves, inline
from pipeline.showing.evidence import Evidence
from pipeline.showing.explaining import OpenMaps, explain_rows
from pipeline.showing.maps import draw_maps
from pipeline.showing.pictures import (
    choose_rows,
    choose_samples,
    find_least_certain,
    read_pictures,
)
from pipeline.showing.provenance import list_commands, list_provenance
from pipeline.showing.tuning import draw_training
from pipeline.showing.verdict import judge_fit
from pipeline.splits import Rows

MAX_SKIPPED = 500


def gather_page(
    evidence: Evidence,
    *,
    compute_maps: Sequence[str],
    find_maps: Sequence[str] = (),
    classifier: Any = None,
    open_maps: OpenMaps | None = None,
    on_progress: OnProgress | None = None,
) -> PageContent:
    """Gather what a page shows of a fit.

    Parameters
    ----------
    evidence : Evidence
    compute_maps, find_maps : sequence of str
        See `draw_maps`.
    classifier : scikit-learn classifier, optional
        The fit's; with it and `open_maps` the mistakes are explained.
    open_maps : callable, optional
    on_progress : callable, optional
        Called with (pictures read, pictures in all).

    Raises
    ------
    CacheError
        If the store cannot be read.
    """
    report = evidence.report
    uncertain = find_least_certain(evidence)
    rows, left_out = choose_rows(evidence, uncertain)
    least_certain = tuple(np.searchsorted(rows, uncertain).tolist())
    samples = {} if evidence.samples is None else choose_samples(evidence, evidence.samples)
    pictures = read_pictures(
        evidence, rows, least_certain=least_certain, samples=samples, on_progress=on_progress
    )
    explanations: dict[str, Explanation] = {}
    unexplained = ""
    if classifier is not None and open_maps is not None and evidence.samples is not None:
        index = {name: label for label, name in enumerate(report.class_names)}
        explanations, unexplained = explain_rows(
            evidence.store,
            classifier,
            [(m["path"], index[m["predicted"]], index[m["true"]]) for m in report.mistakes],
            open_maps=open_maps,
        )
    skipped, more_skipped = _read_skipped(evidence)
    notes = (evidence.problem, left_out, *pictures.notes, more_skipped)
    return PageContent(
        report=report,
        verdict=judge_fit(report),
        rows=_take(evidence.rows, rows),
        thumbnails=pictures.small,
        pictures=pictures.large,
        explanations=explanations,
        least_certain=least_certain,
        maps=draw_maps(evidence, rows, compute=compute_maps, find=find_maps),
        figures=inline({**draw_curves(report, evidence.rows), **draw_training(evidence)}),
        samples=samples,
        image_sizes=pictures.sizes,
        skipped=skipped,
        provenance=list_provenance(evidence),
        commands=list_commands(evidence),
        unexplained=unexplained,
        notes=tuple(note for note in notes if note),
    )


def _take(answered: AnsweredRows, rows: Rows) -> AnsweredRows:
    return AnsweredRows(
        paths=tuple(answered.paths[row] for row in rows),
        y_true=answered.y_true[rows],
        y_pred=answered.y_pred[rows],
        scores=np.ascontiguousarray(answered.scores[rows]),
    )


def _read_skipped(evidence: Evidence) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return path and reason of skipped images, as many as are shown, and what is missing."""
    if not evidence.report.skipped or evidence.samples is None:
        return (), ""
    lines = read_skipped(evidence.store)
    if lines is None:
        return (), f"The list of skipped images is missing: {skipped_csv(evidence.store)}."
    n_more = len(lines) - MAX_SKIPPED
    more = f"{n_more:,} more skipped images are listed in {skipped_csv(evidence.store)}."
    return lines[:MAX_SKIPPED], more if n_more > 0 else ""

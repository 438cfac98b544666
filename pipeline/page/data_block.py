"""What the scripts of a page read: names, rows, thumbnails and points, as small JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.page.pictures import encode_picture
from pipeline.palette import CLASS_COLOURS
from pipeline.records import AnsweredRows, PageContent, ScatterMap, printable

_DIGITS = 4
"""Significant digits of a point."""
_SCORE_DIGITS = 12
"""Decimals of a score: as many as `formats` looks at, so that both write it alike."""


def describe_content(content: PageContent) -> dict[str, Any]:
    """Return the JSON value that gallery, matrix and map are made from.

    Text is made printable here: what scripts write is text to the browser, but UTF-8 has no
    surrogates. Thumbnails are there once; cells are (true, predicted, count) in one flat list.
    """
    report = content.report
    return {
        "names": [printable(name) for name in report.class_names],
        "kind": report.score_kind,
        "colours": list(CLASS_COLOURS),
        "cells": [
            number
            for i, row in enumerate(report.confusion_matrix)
            for j, count in enumerate(row)
            if count
            for number in (i, j, count)
        ],
        "rows": _describe_rows(content.rows),
        "thumbnails": {
            str(row): encode_picture(picture) for row, picture in content.thumbnails.items()
        },
        "maps": [_describe_map(drawn) for drawn in content.maps],
    }


def runners_up(rows: AnsweredRows) -> NDArray[np.intp]:
    """Return the class to set beside each answer: the true one, or else the next best.

    Returns
    -------
    intp ndarray of shape (n_rows,)
        -1 where there is no other class.
    """
    if rows.scores.shape[1] < 2:
        return np.full(len(rows), -1, np.intp)
    others = rows.scores.astype(np.float64)
    others[np.arange(len(rows)), rows.y_pred] = -np.inf
    second = np.where(
        np.isfinite(others).any(axis=1), others.argmax(axis=1), -1 if len(rows) else 0
    )
    return np.where(rows.y_true == rows.y_pred, second, rows.y_true)


def _describe_rows(rows: AnsweredRows) -> dict[str, Any]:
    places, others = np.arange(len(rows)), runners_up(rows)
    return {
        "paths": [printable(path) for path in rows.paths],
        "true": rows.y_true.tolist(),
        "predicted": rows.y_pred.tolist(),
        "score": _round_scores(rows.scores[places, rows.y_pred]),
        "other": others.tolist(),
        "otherScore": _round_scores(rows.scores[places, others]),
    }


def _describe_map(drawn: ScatterMap) -> dict[str, Any]:
    return {
        "method": printable(drawn.method),
        "rows": drawn.rows.tolist(),
        "x": _round(drawn.points[:, 0]),
        "y": _round(drawn.points[:, 1]),
        "axes": [printable(axis) for axis in drawn.axes],
        "note": printable(drawn.note),
    }


def _round_scores(values: NDArray[np.floating]) -> list[float | None]:
    return [
        round(value, _SCORE_DIGITS) if math.isfinite(value) else None for value in values.tolist()
    ]


def _round(values: NDArray[np.floating]) -> list[float | None]:
    """Return numbers as short as they can be shown; None for what JSON has no number for."""
    return [
        float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()
    ]

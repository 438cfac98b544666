"""predictions.csv: every test row with its label, the answer and the scores. Owner of pandas.

Columns path, label, prediction, split, then score:<class> for each class. Names are user text, and
spreadsheets run a cell that begins with = + - or @ as a formula: such a path gets ./ in front,
which names the same file, and such a class name an apostrophe. `parse_predictions` undoes both.
Names that are not UTF-8 keep their own bytes (read with ``encoding_errors="surrogateescape"``).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.records import AnsweredRows, csv_name, csv_path

_TEXT_COLUMNS = ("path", "label", "prediction", "split")
_EXACT = "%.9g"  # tells all float32 apart, so that what is ranked by them is ranked the same again


def format_predictions(
    *,
    paths: Sequence[str],
    y_true: NDArray[np.integer],
    y_pred: NDArray[np.integer],
    split: Sequence[str],
    scores: NDArray[np.floating],
    class_names: Sequence[str],
) -> bytes:
    """Return the content of predictions.csv.

    Parameters
    ----------
    paths : sequence of str
    y_true, y_pred : integer ndarray of shape (n_samples,)
        Index into `class_names`.
    split : sequence of str
        What the data set calls each row: "train", "val", "test" or "none".
    scores : float ndarray of shape (n_samples, n_classes)
    class_names : sequence of str
    """
    names = np.array([csv_name(name) for name in class_names], dtype=object)
    columns: dict[str, list[str] | NDArray[np.object_]] = {
        "path": [csv_path(path) for path in paths],
        "label": names[y_true],
        "prediction": names[y_pred],
        "split": list(split),
    }
    # "score:" in front keeps these apart from the other columns, whatever the classes are called.
    with _strings_of_any_bytes():
        numbers = pd.DataFrame(scores, columns=[f"score:{name}" for name in class_names])
        frame = pd.concat([pd.DataFrame(columns, dtype=object), numbers], axis=1)
        # RFC 4180's line ends; with others a lone \r in a name would not be quoted.
        text = frame.to_csv(index=False, float_format=_EXACT, lineterminator="\r\n")
    return text.encode("utf-8", "surrogateescape")


def parse_predictions(content: bytes) -> pd.DataFrame:
    """Read a predictions.csv with every path and class name as it was.

    Returns
    -------
    DataFrame
        Columns path, label, prediction, split as str, and a float column score:<class> a class.
    """
    with _strings_of_any_bytes():
        frame = pd.read_csv(
            io.BytesIO(content),
            dtype=dict.fromkeys(_TEXT_COLUMNS, object),  # "007" is a name
            keep_default_na=False,  # and so are "NA" and "null"
            encoding="utf-8",
            encoding_errors="surrogateescape",
        )
        frame["path"] = frame["path"].str.replace(r"^\./(?=[=+\-@\t\r])", "", regex=True)
        for column in ("label", "prediction"):
            frame[column] = frame[column].str.removeprefix("'")
    return frame


def parse_answers(content: bytes, *, class_names: Sequence[str]) -> AnsweredRows:
    """Read a predictions.csv as indices and scores.

    Parameters
    ----------
    content : bytes
    class_names : sequence of str
        As they were when it was written.

    Raises
    ------
    KeyError, ValueError
        If it is of other classes.
    """
    frame = parse_predictions(content)
    index = {name: i for i, name in enumerate(class_names)}
    scores = frame.iloc[:, len(_TEXT_COLUMNS) :].to_numpy(np.float64)
    if scores.shape[1] != len(index):
        raise ValueError(f"expected the scores of {len(index)} classes, found {scores.shape[1]}")
    y_true, y_pred = (
        np.array([index[name] for name in frame[column]], np.intp)
        for column in ("label", "prediction")
    )
    return AnsweredRows(paths=tuple(frame["path"]), y_true=y_true, y_pred=y_pred, scores=scores)


def _strings_of_any_bytes() -> AbstractContextManager[None]:
    """Keep pandas from Arrow's strings, its own where that is installed: they are strict UTF-8."""
    return pd.option_context("mode.string_storage", "python")

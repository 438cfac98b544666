import csv
import io

import numpy as np
import pytest

from pipeline.predictions import format_predictions, parse_answers, parse_predictions
from pipeline.records import csv_name

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'quoted",
    "'5",
    'say "hi", they',
    "line\nbreak",
    "caf\udce9",
    "NA",
    "null",
    "007",
    "1e3",
    "-1",
    "ünï 猫",
    "[red]",
)


def test_hostile_names_come_back_as_they_were():
    n = len(HOSTILE)
    y_true = np.arange(n)
    content = format_predictions(
        paths=[f"{name}/x.jpg" for name in HOSTILE],
        y_true=y_true,
        y_pred=y_true[::-1],
        split=["test"] * n,
        scores=np.eye(n),
        class_names=HOSTILE,
    )
    frame = parse_predictions(content)
    assert frame["path"].tolist() == [f"{name}/x.jpg" for name in HOSTILE]
    assert tuple(frame["label"]) == HOSTILE
    assert tuple(frame["prediction"]) == HOSTILE[::-1]
    assert list(frame.columns) == [
        "path",
        "label",
        "prediction",
        "split",
        *(f"score:{name}" for name in HOSTILE),
    ]
    np.testing.assert_array_equal(frame.iloc[:, 4:].to_numpy(float), np.eye(n))


def test_no_cell_is_a_formula():
    n = len(HOSTILE)
    content = format_predictions(
        paths=HOSTILE,
        y_true=np.arange(n),
        y_pred=np.arange(n),
        split=["test"] * n,
        scores=np.zeros((n, n)),
        class_names=HOSTILE,
    )
    rows = list(csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))
    assert len(rows) == n + 1
    cells = [cell for row in rows for cell in row]
    assert [c for c in cells if c.startswith(("=", "+", "-", "@", "\t", "\r")) and c != "-1"] == []


@pytest.mark.parametrize("number", ["-1", "+1", "-0.5", "3", "007"])
def test_numbers_are_left_alone(number):
    assert csv_name(number) == number


def test_no_rows_and_empty_name():
    content = format_predictions(
        paths=[],
        y_true=np.zeros(0, int),
        y_pred=np.zeros(0, int),
        split=[],
        scores=np.zeros((0, 2)),
        class_names=["", "b"],
    )
    assert len(parse_predictions(content)) == 0


def test_scores_of_minus_infinity_survive():
    content = format_predictions(
        paths=["a"],
        y_true=np.array([0]),
        y_pred=np.array([1]),
        split=["test"],
        scores=np.array([[-np.inf, 0.25]]),
        class_names=["a", "b"],
    )
    frame = parse_predictions(content)
    assert frame["score:a"].tolist() == [-np.inf]
    assert frame["score:b"].tolist() == [0.25]


def test_scores_that_differ_in_the_last_bit_of_float32_stay_apart():
    base = np.float32(0.5)
    scores = np.array([[base, np.nextafter(base, np.float32(1))]], np.float32)
    content = format_predictions(
        paths=["a.jpg"],
        y_true=np.array([0]),
        y_pred=np.array([1]),
        split=["none"],
        scores=scores,
        class_names=("a", "b"),
    )
    found = parse_answers(content, class_names=("a", "b"))
    np.testing.assert_array_equal(found.scores.astype(np.float32), scores)
    assert (found.paths, found.y_true.tolist(), found.y_pred.tolist()) == (("a.jpg",), [0], [1])


@pytest.mark.parametrize("class_names", [("a",), ("a", "c"), ("a", "b", "c")])
def test_answers_of_other_classes_are_refused(class_names):
    content = format_predictions(
        paths=["a.jpg"],
        y_true=np.array([1]),
        y_pred=np.array([1]),
        split=["none"],
        scores=np.eye(2)[[1]],
        class_names=("a", "b"),
    )
    with pytest.raises((KeyError, ValueError)):
        parse_answers(content, class_names=class_names)

import base64
from dataclasses import replace

import numpy as np

from pipeline.page.data_block import describe_content, runners_up
from pipeline.records import AnsweredRows
from tests.page.made_pages import make_page


def make_rows(scores, y_true):
    scores = np.array(scores, dtype=np.float64)
    return AnsweredRows(
        paths=tuple(f"{row}.jpg" for row in range(len(scores))),
        y_true=np.array(y_true),
        y_pred=scores.argmax(axis=1),
        scores=scores,
    )


def test_an_answer_is_set_beside_the_true_class_or_else_the_next_best():
    rows = make_rows([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5]], [0, 2, 2])
    assert runners_up(rows).tolist() == [1, 2, 1]


def test_one_class_has_no_runner_up():
    assert runners_up(make_rows([[1.0]], [0])).tolist() == [-1]


def test_a_class_that_cannot_be_is_no_runner_up():
    assert runners_up(make_rows([[1.0, -np.inf]], [0])).tolist() == [-1]


def test_rows_are_described_in_order():
    content = make_page(3, n_test=30, n_pictures=4)
    rows, described = content.rows, describe_content(content)
    assert described["rows"]["paths"] == list(rows.paths)
    assert described["rows"]["true"] == rows.y_true.tolist()
    assert described["rows"]["predicted"] == rows.y_pred.tolist()
    best = rows.scores[np.arange(30), rows.y_pred]
    np.testing.assert_allclose(described["rows"]["score"], best, rtol=1e-3)
    assert {
        int(row): base64.b64decode(picture) for row, picture in described["thumbnails"].items()
    } == dict(content.thumbnails)


def test_cells_are_those_of_the_matrix():
    content = make_page(5, n_test=100)
    cells = np.reshape(describe_content(content)["cells"], (-1, 3))
    matrix = np.zeros((5, 5), int)
    matrix[cells[:, 0], cells[:, 1]] = cells[:, 2]
    assert matrix.tolist() == [list(row) for row in content.report.confusion_matrix]
    assert cells[:, 2].min() > 0


def test_points_keep_four_digits():
    content = make_page(3, n_test=30)
    drawn = content.maps[0]
    points = np.array([[123.456789, -0.000123456]] * 30, np.float32)
    described = describe_content(replace(content, maps=(replace(drawn, points=points),)))
    assert described["maps"][0]["x"][0] == 123.5
    assert described["maps"][0]["y"][0] == -0.0001235


def test_a_score_that_is_no_number_is_none():
    content = make_page(2, n_test=20)
    scores = np.full((20, 2), -np.inf)
    described = describe_content(replace(content, rows=replace(content.rows, scores=scores)))
    assert described["rows"]["score"] == [None] * 20

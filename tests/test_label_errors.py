import numpy as np
import pytest

from pipeline.label_errors import find_label_errors

N_CLASSES = 4


def clouds(*, n=800, share=0.05, seed=0):
    """Labels of which some are wrong, and scores of someone who sees which cloud a row lies in.

    The centres are 7 standard deviations apart: no row lies in a cloud that is not its own.
    """
    rng = np.random.default_rng(seed)
    true = rng.integers(0, N_CLASSES, n)
    centres = 5 * np.eye(N_CLASSES)
    points = centres[true] + rng.normal(size=(n, N_CLASSES))
    scores = -((points[:, None] - centres) ** 2).sum(axis=2) / 2
    wrong = rng.random(n) < share
    given = np.where(wrong, (true + rng.integers(1, N_CLASSES, n)) % N_CLASSES, true)
    return given, scores, wrong, true


def probabilities(scores):
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def decision_values(scores):
    return scores - scores.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", [probabilities, decision_values])
def test_planted_errors_are_found_with_their_true_class(kind):
    given, scores, wrong, true = clouds()
    found = find_label_errors(given, kind(scores))
    hits = wrong[found.rows]
    assert hits.mean() > 0.9
    assert hits.sum() > 0.5 * wrong.sum()
    assert (found.suggested[hits] == true[found.rows[hits]]).mean() > 0.95
    assert (np.diff(found.margin) <= 0).all()
    assert (found.margin > 0).all()


def test_labels_that_are_right_are_not_suspect():
    _, scores, _, true = clouds()
    assert len(find_label_errors(true, probabilities(scores)).rows) < 0.005 * len(true)


def test_a_class_says_itself_how_sure_is_sure():
    # Class 0 gets 0.9 on its own rows, class 1 only 0.6: 0.65 claims a row for class 1 alone.
    scores = np.array([[0.9, 0.1], [0.95, 0.05], [0.35, 0.65], [0.4, 0.6], [0.65, 0.35]])
    found = find_label_errors(np.array([0, 0, 0, 1, 1]), scores)
    assert found.rows.tolist() == [2]
    assert found.suggested.tolist() == [1]
    np.testing.assert_allclose(found.margin, [0.3])


def test_the_label_must_score_less_than_it_does_on_average():
    # Decision values that do not sum to 1: row 1 is claimed by class 1, but as much a 0 as others.
    scores = np.array([[1.0, 0.0], [1.0, 1.1], [0.0, 1.0]])
    assert find_label_errors(np.array([0, 0, 1]), scores).rows.tolist() == []


def test_rows_that_nobody_scored_are_not_suspect():
    given, scores, _, _ = clouds()
    scores = probabilities(scores)
    unknown = np.arange(len(given)) % 2 == 0
    scores[unknown] = np.nan
    found = find_label_errors(given, scores)
    assert len(found.rows) > 0
    assert not unknown[found.rows].any()
    expected = find_label_errors(given[~unknown], scores[~unknown])
    assert found.rows.tolist() == np.flatnonzero(~unknown)[expected.rows].tolist()


def test_a_class_that_its_classifier_did_not_know_is_not_suspect():
    scores = np.array([[-np.inf, 5.0], [1.0, 0.0], [0.0, 1.0]])
    assert find_label_errors(np.array([0, 0, 1]), scores).rows.tolist() == []


def test_a_row_without_a_score_does_not_hide_its_classes_errors():
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [-np.inf, 1.0]])
    assert find_label_errors(np.array([0, 0, 1, 0]), scores).rows.tolist() == [1]


def test_a_class_without_rows_is_never_suggested():
    found = find_label_errors(np.array([0, 0, 1]), np.array([[0.1, 0, 9], [1, 0, 0], [0, 1, 0.0]]))
    assert found.rows.tolist() == []


def test_no_rows():
    assert len(find_label_errors(np.zeros(0, int), np.zeros((0, 3))).rows) == 0


def test_arguments_are_left_alone():
    given, scores, _, _ = clouds(n=50)
    copy = scores.copy()
    find_label_errors(given, scores)
    np.testing.assert_array_equal(scores, copy)

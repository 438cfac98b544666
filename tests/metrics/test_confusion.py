import math

import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline import metrics
from pipeline.errors import ClassifierError


def answers(n_classes, n=400, seed=0):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, n_classes, n)
    wrong = rng.random(n) < 0.3
    return y_true, np.where(wrong, rng.integers(0, n_classes, n), y_true)


@pytest.mark.filterwarnings("ignore:A single label")
@pytest.mark.parametrize("n_classes", [1, 2, 10, 1000])
def test_fault_52_matrix_agrees_with_scikit_learn_and_adds_up(n_classes):
    y_true, y_pred = answers(n_classes)
    matrix = metrics.confusion_matrix(y_true, y_pred, n_classes=n_classes)
    expected = reference.confusion_matrix(y_true, y_pred, labels=range(n_classes))
    np.testing.assert_array_equal(matrix, expected)
    assert matrix.shape == (n_classes, n_classes)
    assert matrix.sum() == len(y_true)
    assert metrics.accuracy(matrix) == np.trace(matrix) / len(y_true)
    assert metrics.accuracy(matrix) == pytest.approx(reference.accuracy_score(y_true, y_pred))


@pytest.mark.parametrize("n_classes", [1, 2, 10, 1000])
def test_class_scores_agree_with_scikit_learn(n_classes):
    y_true, y_pred = answers(n_classes)
    scores = metrics.class_scores(metrics.confusion_matrix(y_true, y_pred, n_classes=n_classes))
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        y_true, y_pred, labels=range(n_classes), zero_division=np.nan
    )
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    np.testing.assert_array_equal(scores.support, support)


@pytest.mark.parametrize("n_classes", [1, 2, 10, 1000])
def test_means_over_classes_agree_with_scikit_learn(n_classes):
    y_true, y_pred = answers(n_classes)
    y_pred = np.where(np.isin(y_pred, y_true), y_pred, y_true)  # scikit-learn warns otherwise
    matrix = metrics.confusion_matrix(y_true, y_pred, n_classes=n_classes)
    macro = reference.f1_score(y_true, y_pred, average="macro")
    assert metrics.macro_f1(matrix) == pytest.approx(macro)
    recall = reference.recall_score(y_true, y_pred, average="macro")
    assert metrics.balanced_accuracy(matrix) == pytest.approx(recall)


def test_fault_46_class_without_test_rows_has_a_row_of_zeros_and_unknown_recall():
    y = np.array([0, 0, 2])
    matrix = metrics.confusion_matrix(y, np.array([0, 1, 2]), n_classes=4)
    scores = metrics.class_scores(matrix)
    assert matrix[1].sum() == 0
    np.testing.assert_array_equal(np.isnan(scores.recall), [False, True, False, True])
    np.testing.assert_array_equal(np.isnan(scores.precision), [False, False, False, True])
    np.testing.assert_array_equal(np.isnan(scores.f1), [False, False, False, True])
    assert metrics.balanced_accuracy(matrix) == pytest.approx((0.5 + 1) / 2)


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("which", ["true", "predicted"])
def test_fault_47_unknown_label_is_refused_not_dropped(label, which):
    known, unknown = np.array([0, 1, 2]), np.array([0, label, 2])
    y_true, y_pred = (unknown, known) if which == "true" else (known, unknown)
    with pytest.raises(ClassifierError, match=f"{which} label .* expected 0 to 2, got {label}"):
        metrics.confusion_matrix(y_true, y_pred, n_classes=3)


def test_fault_47_labels_of_a_data_set_are_checked_before_they_are_used():
    metrics.check_labels(np.array([0, 2]), n_classes=3, what="true")
    metrics.check_labels(np.zeros(0, int), n_classes=0, what="true")
    with pytest.raises(ClassifierError, match=r"expected 0 to 2, got 3 in 2 rows"):
        metrics.check_labels(np.array([0, 3, 4]), n_classes=3, what="true")


def test_matrix_does_not_overflow_small_integers():
    y = np.full(3, 120, np.int8)
    assert metrics.confusion_matrix(y, y, n_classes=121)[120, 120] == 3


# R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
# Medicine 17 (1998) 857-872, table I, method 3 (score).
@pytest.mark.parametrize(
    ("n_correct", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_newcombes(n_correct, n, low, high):
    assert metrics.wilson_interval(n_correct, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [1, 7, 10_000])
def test_wilson_interval_stays_within_0_and_1_and_mirrors(n):
    low, high = metrics.wilson_interval(n, n)
    assert high == 1.0
    assert 0 < low < 1
    assert metrics.wilson_interval(0, n) == pytest.approx((0.0, 1 - low))


def test_confused_pairs_are_the_largest_off_diagonal_cells():
    matrix = np.array([[9, 1, 0], [4, 9, 2], [0, 0, 9]])
    assert metrics.confused_pairs(matrix, limit=2) == [(1, 0, 4), (1, 2, 2)]
    assert metrics.confused_pairs(matrix, limit=9) == [(1, 0, 4), (1, 2, 2), (0, 1, 1)]
    assert metrics.confused_pairs(np.array([[5]]), limit=9) == []


def test_confident_mistakes_are_wrong_rows_by_falling_score():
    scores = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6]])
    y_true = np.array([0, 0, 0, 1])
    assert metrics.confident_mistakes(y_true, scores, limit=5).tolist() == [2, 1]
    assert metrics.confident_mistakes(y_true, scores, limit=1).tolist() == [2]


def test_mistakes_with_scores_of_minus_infinity():
    scores = np.array([[-math.inf, 1.0, 2.0]])
    assert metrics.confident_mistakes(np.array([0]), scores, limit=5).tolist() == [0]

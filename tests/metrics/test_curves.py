import math

import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline import metrics
from tests.metrics.simulation import draw_labels, draw_probabilities


def scored(n, *, seed, n_values=None, share=0.4):
    """Rows of a class and of others with overlapping scores; few values make many ties."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < share
    positive[:2] = True, False
    score = positive + rng.normal(size=n)
    return positive, score if n_values is None else np.round(score * n_values / 6) / n_values


TIES = pytest.mark.parametrize("n_values", [None, 1, 3, 12])
SIZES = pytest.mark.parametrize(("n", "seed"), [(2, 0), (7, 1), (60, 2), (500, 3)])


@TIES
@SIZES
def test_roc_agrees_with_scikit_learn(n, seed, n_values):
    positive, score = scored(n, seed=seed, n_values=n_values)
    curve = metrics.roc_curve(positive, score)
    false, true, _ = reference.roc_curve(positive, score)
    np.testing.assert_array_equal(curve.false_positive_rate, false)
    np.testing.assert_array_equal(curve.true_positive_rate, true)
    expected = reference.roc_auc_score(positive, score)
    assert metrics.roc_auc(positive, score) == pytest.approx(expected, abs=1e-12)
    area = reference.auc(curve.false_positive_rate, curve.true_positive_rate)
    assert area == pytest.approx(expected, abs=1e-12)


@TIES
@SIZES
def test_precision_recall_agrees_with_scikit_learn(n, seed, n_values):
    positive, score = scored(n, seed=seed, n_values=n_values)
    curve = metrics.precision_recall_curve(positive, score)
    precision, recall, _ = reference.precision_recall_curve(positive, score)
    np.testing.assert_array_equal(curve.recall, recall[::-1])
    np.testing.assert_array_equal(curve.precision, precision[::-1])
    expected = reference.average_precision_score(positive, score)
    assert metrics.average_precision(positive, score) == pytest.approx(expected, abs=1e-12)


def test_both_curves_go_from_nothing_to_everything():
    positive, score = scored(200, seed=0)
    roc = metrics.roc_curve(positive, score)
    for rate in (roc.false_positive_rate, roc.true_positive_rate):
        assert (rate[0], rate[-1]) == (0, 1)
        assert (np.diff(rate) >= 0).all()
    found = metrics.precision_recall_curve(positive, score)
    assert (found.recall[0], found.recall[-1]) == (0, 1)
    assert (found.precision[0], found.precision[-1]) == (1, positive.mean())


def test_equal_scores_are_a_coin():
    positive = np.array([True, False, False, True, False])
    score = np.full(5, 0.3)
    assert metrics.roc_auc(positive, score) == 0.5
    assert metrics.average_precision(positive, score) == pytest.approx(0.4)
    assert metrics.roc_curve(positive, score).true_positive_rate.tolist() == [0, 1]


def test_the_order_of_the_rows_does_not_matter():
    positive, score = scored(80, seed=4, n_values=3)
    order = np.random.default_rng(0).permutation(80)
    for measure in (metrics.roc_auc, metrics.average_precision):
        assert measure(positive, score) == measure(positive[order], score[order])


def test_a_class_that_was_never_seen_scores_minus_infinity():
    positive = np.array([True, False, True, False])
    score = np.array([-np.inf, -np.inf, 1.0, 0.0])
    assert metrics.roc_auc(positive, score) == pytest.approx(0.625)  # 2.5 of 4 pairs
    assert metrics.average_precision(positive, score) == pytest.approx((1 + 2 / 4) / 2)


def test_one_side_alone_has_no_area():
    score = np.array([0.1, 0.4, 0.4])
    everything, nothing = np.ones(3, bool), np.zeros(3, bool)
    assert math.isnan(metrics.roc_auc(everything, score))
    assert math.isnan(metrics.roc_auc(nothing, score))
    assert metrics.average_precision(everything, score) == 1
    assert math.isnan(metrics.average_precision(nothing, score))
    assert np.isnan(metrics.roc_curve(everything, score).false_positive_rate).all()
    assert metrics.roc_curve(everything, score).true_positive_rate[-1] == 1
    assert np.isnan(metrics.precision_recall_curve(nothing, score).recall).all()
    assert metrics.precision_recall_curve(nothing, score).precision.tolist() == [1, 0, 0]


def test_no_rows_are_no_curve():
    nothing, score = np.zeros(0, bool), np.zeros(0)
    assert math.isnan(metrics.roc_auc(nothing, score))
    assert math.isnan(metrics.average_precision(nothing, score))
    assert len(metrics.roc_curve(nothing, score).true_positive_rate) == 1


def test_every_class_is_ranked_against_all_others():
    said, true = draw_probabilities(
        300, n_classes=4, sharpness=3.0, temperature=1.0, rng=np.random.default_rng(0)
    )
    y_true = draw_labels(true, np.random.default_rng(1))
    y_true[y_true == 2] = 0  # a class without rows
    found = metrics.rank_classes(y_true, said.astype(np.float32))
    for k in (0, 1, 3):
        positive, score = y_true == k, said[:, k].astype(np.float32)
        assert found.roc_auc[k] == metrics.roc_auc(positive, score)
        assert found.average_precision[k] == metrics.average_precision(positive, score)
    assert np.isnan([found.roc_auc[2], found.average_precision[2]]).all()
    alone = metrics.rank_classes(np.zeros(5, int), said[:5])
    assert np.isnan([alone.roc_auc, alone.average_precision]).all()


def test_two_classes_are_ranked_alike_by_one_decision_score():
    positive, score = scored(100, seed=5)
    found = metrics.rank_classes(positive.astype(int), np.column_stack([-score, score]))
    assert found.roc_auc[0] == pytest.approx(found.roc_auc[1], abs=1e-12)
    assert found.average_precision[0] != found.average_precision[1]


def answers(n, *, seed=0, n_classes=3):
    rng = np.random.default_rng(seed)
    said, true = draw_probabilities(n, n_classes=n_classes, sharpness=4.0, temperature=1.5, rng=rng)
    return draw_labels(true, rng), said


@pytest.mark.parametrize("n", [1, 10, 800])
@pytest.mark.parametrize("n_bins", [1, 4, 15])
def test_the_calibration_error_follows_from_its_bins(n, n_bins):
    y_true, said = answers(n)
    bins = metrics.calibration_bins(y_true, said, n_bins=n_bins)
    assert sum(one.n for one in bins) == n
    error = sum(one.n * abs(one.accuracy - one.confidence) for one in bins) / n
    expected = metrics.calibration_error(y_true, said, n_bins=n_bins)
    assert error == pytest.approx(expected, abs=1e-12)


def test_bins_by_hand():
    # 0.5 is the upper edge of the first bin.
    said = np.array([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9]])
    low, high = metrics.calibration_bins(np.array([1, 0, 0]), said, n_bins=2)
    assert (low.low, low.high, low.n, low.confidence, low.accuracy) == (0, 0.5, 1, 0.5, 0)
    assert (high.low, high.high, high.n, high.accuracy) == (0.5, 1, 2, 0.5)
    assert high.confidence == pytest.approx(0.85)


def test_empty_bins_are_left_out_and_the_others_rise():
    y_true, said = answers(400, n_classes=2)
    bins = metrics.calibration_bins(y_true, said)
    assert 1 < len(bins) <= 8  # the more probable of two is above one half
    for one in bins:
        assert one.low < one.confidence <= one.high
        assert one.high - one.low == pytest.approx(1 / 15)
    assert [one.low for one in bins] == sorted(one.low for one in bins)

import numpy as np
import pytest

from pipeline import metrics
from pipeline.metrics.class_means import balanced_accuracy_interval, macro_f1_interval
from tests.metrics.simulation import answer_shares, correlated_hits, coverage, draw_answers

N_SETS = 1000
INTERVALS = [
    (metrics.balanced_accuracy, balanced_accuracy_interval),
    (metrics.macro_f1, macro_f1_interval),
]
CLASSIFIERS = [
    (200, [0.9, 0.1], [0.95, 0.9]),
    (300, [1 / 3] * 3, [0.97, 0.9, 0.8]),
    (300, [0.6, 0.3, 0.1], [0.97, 0.9, 0.8]),
    (300, [0.5, 0.25, 0.15, 0.07, 0.03], [0.97, 0.95, 0.9, 0.85, 0.8]),
    (1000, [0.65, 0.3, 0.05], [0.97, 0.9, 0.8]),
]
MANY_CLASSES = (1000, [0.01] * 100, np.linspace(0.5, 1, 100))


@pytest.mark.parametrize(("n", "weights", "recalls"), [*CLASSIFIERS, MANY_CLASSES])
@pytest.mark.parametrize(("measure", "interval"), INTERVALS)
def test_interval_covers_the_truth(measure, interval, n, weights, recalls):
    truth = measure(answer_shares(weights, recalls))
    rng = np.random.default_rng(0)
    ends = [
        interval(
            *draw_answers(weights, recalls, n=n, rng=rng),
            n_classes=len(weights),
            units=np.arange(n),
        )
        for _ in range(N_SETS)
    ]
    assert 0.93 <= coverage(ends, truth) <= 0.97


@pytest.mark.parametrize(("measure", "interval"), INTERVALS)
@pytest.mark.parametrize("correlation", [0.2, 1.0])
def test_interval_covers_the_truth_with_units(measure, interval, correlation):
    weights, recalls = [0.5, 0.3, 0.2], np.array([0.95, 0.9, 0.8])
    truth = measure(answer_shares(weights, recalls))
    rng = np.random.default_rng(0)
    ends = []
    for _ in range(N_SETS):
        y_true = np.repeat(rng.choice(3, 100, p=weights), 5)
        hit = correlated_hits(
            recalls[y_true].reshape(100, 5), n_units=100, size=5, correlation=correlation, rng=rng
        )
        wrong = (y_true + np.repeat(rng.integers(1, 3, 100), 5)) % 3
        y_pred = np.where(hit.ravel(), y_true, wrong)
        ends.append(interval(y_true, y_pred, n_classes=3, units=np.repeat(np.arange(100), 5)))
    assert 0.93 <= coverage(ends, truth) <= 0.97


@pytest.mark.parametrize(("measure", "interval"), INTERVALS)
def test_interval_holds_the_estimate(measure, interval):
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 30):
        for n_classes in (2, 5, 50):
            y_true, y_pred = rng.integers(0, n_classes, (2, n))
            low, high = interval(y_true, y_pred, n_classes=n_classes, units=np.arange(n))
            estimate = measure(metrics.confusion_matrix(y_true, y_pred, n_classes=n_classes))
            assert 0 <= low <= estimate <= high <= 1
            assert high - low > 0.05


@pytest.mark.parametrize("interval", [balanced_accuracy_interval, macro_f1_interval])
def test_equal_classes_all_right_are_known_as_well_as_their_rows(interval):
    y = np.repeat([0, 1], 50)
    low, high = interval(y, y, n_classes=2, units=np.arange(100))
    assert high == 1.0
    assert low == pytest.approx(metrics.wilson_interval(100, 100)[0], abs=0.002)


def test_a_small_class_without_mistakes_is_not_known_exactly():
    y = np.repeat([0, 1], [990, 10])
    low, _ = balanced_accuracy_interval(y, y, n_classes=2, units=np.arange(1000))
    assert low < (1 + metrics.wilson_interval(10, 10)[0]) / 2 + 0.05


@pytest.mark.parametrize("interval", [balanced_accuracy_interval, macro_f1_interval])
def test_copies_count_once(interval):
    rng = np.random.default_rng(0)
    y_true, y_pred = draw_answers([0.5, 0.5], [0.9, 0.8], n=400, rng=rng)
    once = interval(y_true, y_pred, n_classes=2, units=np.arange(400))
    thrice = interval(
        np.repeat(y_true, 3), np.repeat(y_pred, 3), n_classes=2, units=np.repeat(np.arange(400), 3)
    )
    assert thrice == pytest.approx(once, abs=0.002)


@pytest.mark.parametrize("interval", [balanced_accuracy_interval, macro_f1_interval])
def test_one_class_is_a_proportion_like_any_other(interval):
    y = np.zeros(20, int)
    low, high = interval(y, y, n_classes=1, units=np.arange(20))
    assert 0.7 < low < high == 1.0


@pytest.mark.parametrize("interval", [balanced_accuracy_interval, macro_f1_interval])
def test_all_right_tells_nothing_of_correlation_so_units_count(interval):
    y = np.repeat([0, 1], 50)
    low, _ = interval(y, y, n_classes=2, units=np.arange(100) // 5)
    assert low == pytest.approx(metrics.wilson_interval(20, 20)[0], abs=0.03)

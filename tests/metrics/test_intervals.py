from dataclasses import fields

import numpy as np
import pytest

from pipeline import metrics
from pipeline.errors import ClassifierError
from tests.metrics.simulation import draw_labels, draw_probabilities


def answers(n, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    said, true = draw_probabilities(n, n_classes=n_classes, sharpness=5, temperature=2, rng=rng)
    return draw_labels(true, rng), said


def measure(y_true, said, **options):
    settings = {"units": np.arange(len(y_true)), "random_state": 0, "n_draws": 200, **options}
    return metrics.measure_intervals(
        y_true, said.argmax(axis=1), said, n_classes=said.shape[1], **settings
    )


@pytest.mark.parametrize("n_classes", [2, 10])
def test_every_interval_holds_its_estimate(n_classes):
    y_true, said = answers(200, n_classes)
    found = measure(y_true, said)
    matrix = metrics.confusion_matrix(y_true, said.argmax(axis=1), n_classes=n_classes)
    scores = metrics.class_scores(matrix)
    for (low, high), estimate in (
        (found.accuracy, metrics.accuracy(matrix)),
        (found.balanced_accuracy, metrics.balanced_accuracy(matrix)),
        (found.macro_f1, metrics.macro_f1(matrix)),
        (found.log_loss, metrics.log_loss(y_true, said)),
        (found.calibration_error, metrics.calibration_error(y_true, said)),
        *zip(found.precision, scores.precision, strict=True),
        *zip(found.recall, scores.recall, strict=True),
    ):
        assert low < estimate < high


def test_accuracy_recall_and_precision_are_wilsons():
    y_true, y_pred = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    found = metrics.measure_intervals(
        y_true, y_pred, None, n_classes=3, units=np.array([9, 4, 6, 1, 0]), random_state=0
    )
    assert found.accuracy == pytest.approx(metrics.wilson_interval(4, 5))
    np.testing.assert_allclose(found.recall[0], metrics.wilson_interval(2, 3))
    np.testing.assert_allclose(found.precision[1], metrics.wilson_interval(2, 3))
    np.testing.assert_allclose(found.precision[0], metrics.wilson_interval(2, 2))
    assert found.recall.shape == found.precision.shape == (3, 2)
    assert np.isnan(found.recall[2]).all()
    assert np.isnan(found.precision[2]).all()


def test_without_probabilities_there_is_nothing_to_say_of_them():
    y_true, said = answers(50, 3)
    found = metrics.measure_intervals(
        y_true, said.argmax(axis=1), None, n_classes=3, units=np.arange(50), random_state=0
    )
    assert found.log_loss is None
    assert found.calibration_error is None


def test_the_seed_decides_the_draws():
    y_true, said = answers(100, 3)
    first, again, other = (measure(y_true, said, random_state=seed) for seed in (1, 1, 2))
    for field in fields(first):
        same = getattr(first, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(*same)
    assert first.log_loss != other.log_loss
    assert first.calibration_error != other.calibration_error


def test_what_units_are_called_changes_nothing():
    y_true, said = answers(100, 3)
    units = np.repeat(np.arange(25), 4)
    plain, odd = measure(y_true, said, units=units), measure(y_true, said, units=7 * units - 30)
    for field in fields(plain):
        np.testing.assert_array_equal(getattr(plain, field.name), getattr(odd, field.name))


def test_units_widen_every_interval():
    y_true, said = (np.repeat(part, 4, axis=0) for part in answers(100, 3))
    rows, units = measure(y_true, said), measure(y_true, said, units=np.repeat(np.arange(100), 4))
    for field in fields(rows):
        narrow, wide = (np.atleast_2d(getattr(found, field.name)) for found in (rows, units))
        assert (wide[:, 1] - wide[:, 0] > 1.4 * (narrow[:, 1] - narrow[:, 0])).all(), field.name


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_labels_may_be_of_any_integer_type(dtype):
    y = np.full(100, 120, dtype)
    found = metrics.measure_intervals(
        y, y, None, n_classes=121, units=np.arange(100, dtype=np.uint8), random_state=0
    )
    assert found.accuracy == pytest.approx(metrics.wilson_interval(100, 100))
    np.testing.assert_allclose(found.recall[120], metrics.wilson_interval(100, 100))


@pytest.mark.parametrize("which", ["true", "predicted"])
def test_unknown_label_is_refused(which):
    known, unknown = np.array([0, 1, 2]), np.array([0, 3, 2])
    y_true, y_pred = (unknown, known) if which == "true" else (known, unknown)
    with pytest.raises(ClassifierError, match=f"{which} label .* expected 0 to 2, got 3"):
        metrics.measure_intervals(
            y_true, y_pred, None, n_classes=3, units=np.arange(3), random_state=0
        )

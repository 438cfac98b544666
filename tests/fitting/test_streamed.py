from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import FitConfig, Gates
from pipeline.errors import ConfigError
from pipeline.fitting.in_memory import fit_table
from pipeline.fitting.streamed import fit_blocks
from pipeline.predictions import parse_predictions
from tests.feature_tables import add_mirror, make_table


def blocks_of(table, size=37):
    """Read the values of a table as a store's are: in blocks, sorted by class as the rows are."""

    def read(order=None):
        numbers = range(-(-len(table.features) // size)) if order is None else order
        for start in (int(number) * size for number in numbers):
            stop = min(start + size, len(table.features))
            yield slice(start, stop), table.features[start:stop].copy()

    return read


@pytest.mark.parametrize("clf", ["logreg", "linear-svm", "ridge", "mlp"])
def test_it_reports_what_a_fit_in_memory_does(clf):
    table = make_table(n_classes=3, n_per_class=120, spread=1.2)
    gates = Gates(min_accuracy=0.99)
    streamed = fit_blocks(table, blocks_of(table), FitConfig(clf=clf), store="s", gates=gates)
    whole = fit_table(table, FitConfig(clf=clf), store="s", gates=gates)
    report, other = streamed.report, whole.report
    assert abs(report.accuracy - other.accuracy) < 0.08
    for name in ("n_found", "n_train", "n_test", "split", "class_names", "store", "dataset"):
        assert getattr(report, name) == getattr(other, name)
    assert report.settings["stream"] is True
    assert [gate["least"] for gate in report.gates] == [0.99]
    assert report.baselines[0] == other.baselines[0]
    assert report.twins is None
    assert (report.loss_curve is not None) == (clf == "mlp")
    assert (report.roc_auc, bool(report.calibration)) == (
        pytest.approx(other.roc_auc, abs=0.05),
        clf in ("logreg", "mlp"),
    )
    assert any("block by block" in note for note in report.notes)
    frames = [parse_predictions(fitted.predictions) for fitted in (streamed, whole)]
    assert frames[0]["path"].tolist() == frames[1]["path"].tolist()
    assert (frames[0]["label"] == frames[0]["prediction"]).mean() == report.accuracy


def test_two_views_are_fitted_on_and_averaged():
    table = add_mirror(make_table(n_classes=2, n_per_class=100, spread=1.0), shift=1.0)
    report = fit_blocks(table, blocks_of(table), FitConfig()).report
    assert report.n_train + report.n_test == 200
    assert report.accuracy > 0.8


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cv": 3}, "--cv needs all"),
        ({"learning_curve": True}, "--learning-curve needs all"),
        ({"clf": "svm"}, "--clf svm"),
        ({"clf": "ridge", "C": 1.0}, "--C"),
    ],
)
def test_what_needs_all_values_at_once_is_refused_before_any_is_read(settings, words):
    table = make_table()

    def read(order=None):
        raise AssertionError("read")

    with pytest.raises(ConfigError, match=words):
        fit_blocks(table, read, FitConfig(**settings))


def test_test_rows_teach_nothing():
    table = make_table(n_classes=2, n_per_class=100, spread=1.5)
    split = np.where(np.arange(200) % 4 == 0, 3, 1).astype(np.uint8)
    table = replace(table, split=split)
    features, labels = table.features.copy(), table.labels.copy()
    features[split == 3] = 1e3
    labels[split == 3] = 1 - labels[split == 3]
    other = replace(table, features=features, labels=labels)
    one, two = (fit_blocks(each, blocks_of(each), FitConfig()) for each in (table, other))
    np.testing.assert_array_equal(one.classifier[-1].coef_, two.classifier[-1].coef_)
    assert one.report.tuning == two.report.tuning

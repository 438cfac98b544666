import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import CLASSIFIERS, FitConfig, Gates
from pipeline.errors import ClassifierError, ConfigError
from pipeline.fitting import choosing
from pipeline.fitting.choosing import choose_value
from pipeline.fitting.in_memory import fit_table
from pipeline.records import Report, Split
from tests.feature_tables import make_table


def with_split(table, *, every=3):
    """Give every so many-th row of a table to the test rows."""
    split = np.where(np.arange(len(table.labels)) % every == 0, Split.TEST, Split.TRAIN)
    return replace(table, split=split.astype(np.uint8))


def planted():
    """A table whose labels mean nothing in training, and in the test rows follow 40 clusters.

    Which cluster has which label can be learned from test rows alone.
    """
    rng = np.random.default_rng(0)
    table = with_split(make_table(n_classes=2, n_per_class=300, n_features=64))
    features = rng.normal(size=table.features.shape).astype(np.float32)
    labels = rng.integers(0, 2, len(table.labels)).astype(np.int32)
    test = np.flatnonzero(table.split == Split.TEST)
    cluster = np.arange(len(test)) % 40
    features[test] = 3 * rng.normal(size=(40, 64))[cluster] + 0.1 * features[test]
    labels[test] = rng.permutation(np.arange(40) % 2)[cluster]
    return replace(table, features=features, labels=labels)


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_what_only_test_rows_could_teach_is_not_learned(clf):
    table = planted()
    report = fit_table(table, FitConfig(clf=clf)).report
    assert max(report.tuning["means"]) < 0.65
    assert 0.3 < report.accuracy < 0.7
    # With half of these rows to learn from, and nothing else, it is.
    test = np.flatnonzero(table.split == Split.TEST)
    columns = ("features", "labels", "group", "sha256")
    half = replace(
        table,
        **{name: getattr(table, name)[test] for name in columns},
        split=np.repeat([Split.TRAIN, Split.TEST], 100).astype(np.uint8),
        paths=tuple(table.paths[row] for row in test),
        n_found=len(test),
    )
    assert fit_table(half, FitConfig(clf=clf)).report.accuracy > 0.8


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_the_fit_is_the_same_whatever_the_test_rows_are(clf):
    table = with_split(make_table(n_classes=3, n_per_class=60, spread=1.5))
    test = np.flatnonzero(table.split == Split.TEST)
    features, labels = table.features.copy(), table.labels.copy()
    features[test] = np.random.default_rng(1).normal(100, 50, features[test].shape)
    labels[test] = 2 - labels[test]
    other = replace(table, features=features, labels=labels)
    config = FitConfig(clf=clf, cv=3 if clf != "mlp" else None, learning_curve=clf != "mlp")
    one, two = (fit_table(each, config) for each in (table, other))
    assert one.report.accuracy > two.report.accuracy + 0.2
    for name in ("tuning", "cv", "learning_curve", "label_errors", "settings"):
        assert getattr(one.report, name) == getattr(two.report, name)
    asked = make_table(n_classes=3, spread=1.5).features
    np.testing.assert_array_equal(one.classifier.predict(asked), two.classifier.predict(asked))


def test_all_that_is_measured_is_there_and_adds_up():
    table = make_table(n_classes=3, n_per_class=60, spread=1.5)
    report = fit_table(table, FitConfig(cv=3, learning_curve=True)).report
    assert report.log_loss > 0
    assert 0 <= report.calibration_error <= 1
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"):
        low, high = report.intervals[name]
        assert low <= getattr(report, name) <= high
    for scores in report.per_class:
        assert scores["recall_ci"][0] <= scores["recall"] <= scores["recall_ci"][1]
    for name in ("roc_auc", "average_precision"):
        mean = np.mean([scores[name] for scores in report.per_class])
        assert getattr(report, name) == pytest.approx(mean)
        assert 0.6 < mean < 1
    counted = sum(one["n"] for one in report.calibration)
    gaps = sum(one["n"] * abs(one["accuracy"] - one["confidence"]) for one in report.calibration)
    assert counted == report.n_test
    assert gaps / counted == pytest.approx(report.calibration_error)
    assert report.loss_curve is None
    assert [baseline["name"] for baseline in report.baselines] == [
        "most frequent class",
        "10 nearest neighbours",
    ]
    assert report.baselines[0]["accuracy"] == pytest.approx(1 / 3, abs=0.01)
    assert report.cv["n_images"] == report.n_train
    assert report.cv["accuracy_ci"][0] < report.cv["accuracy"] < report.cv["accuracy_ci"][1]
    assert report.learning_curve["sizes"] == sorted(report.learning_curve["sizes"])
    assert len(report.learning_curve["forecast"]) == 3
    assert report.twins["n_exact"] == 0
    assert report.tune_seconds > 0


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_every_classifier_has_probabilities(clf):
    report = fit_table(make_table(n_per_class=60, spread=1.5), FitConfig(clf=clf)).report
    assert report.score_kind == "probability"
    low, high = report.intervals["calibration_error"]
    assert low <= report.calibration_error < high < 0.6


@pytest.mark.parametrize("clf", ["mlp", "logreg"])
def test_rankings_and_epochs_survive_json(clf):
    report = fit_table(make_table(n_per_class=30, spread=1.5), FitConfig(clf=clf)).report
    assert (report.loss_curve is None) == (clf == "logreg")
    assert Report.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report


def test_one_class_among_the_test_rows_has_no_ranking():
    table = make_table(n_classes=2, n_per_class=20)
    split = np.where(np.arange(40) < 5, Split.TEST, Split.TRAIN).astype(np.uint8)
    report = fit_table(replace(table, split=split), FitConfig()).report
    assert report.roc_auc is report.average_precision is None
    assert all(scores["average_precision"] is None for scores in report.per_class)


def test_a_class_of_one_leaves_the_svm_without_probabilities_and_says_so():
    table = make_table(n_classes=2, n_per_class=30)
    labels = table.labels.copy()
    labels[0] = 2
    table = replace(table, labels=labels, class_names=("a", "b", "c"))
    report = fit_table(table, FitConfig(clf="svm")).report
    assert report.score_kind == "decision"
    assert report.log_loss is None
    assert report.calibration == ()
    assert report.intervals["log_loss"] is None
    # Decision scores rank as well; the class of one has no test row.
    assert [scores["roc_auc"] is None for scores in report.per_class] == [False, False, True]
    assert report.roc_auc == np.mean([scores["roc_auc"] for scores in report.per_class[:2]])
    assert any("too few training images to learn them from" in note for note in report.notes)


def test_too_few_rows_to_tune_take_the_default_and_say_so():
    table = make_table(n_classes=2, n_per_class=3)
    report = fit_table(table, FitConfig()).report
    assert report.tuning is None
    assert report.n_label_errors is None
    assert any(note.startswith("C was not tuned: there are too few") for note in report.notes)


def test_a_planted_label_error_is_listed_with_its_path():
    table = with_split(make_table(n_classes=3, n_per_class=60, spread=0.5))
    labels = table.labels.copy()
    wrong = np.flatnonzero(table.split == Split.TRAIN)[[3, 70]]
    labels[wrong] = (labels[wrong] + 1) % 3
    report = fit_table(replace(table, labels=labels), FitConfig()).report
    listed = {error["path"]: error for error in report.label_errors}
    assert report.n_label_errors == len(listed) == 2
    for row in wrong:
        error = listed[table.paths[row]]
        assert error["label"] == table.class_names[labels[row]]
        assert error["suggested"] == table.class_names[table.labels[row]]


def test_cross_validation_tunes_anew_in_every_fold(monkeypatch):
    seen = []
    monkeypatch.setattr(
        choosing,
        "tune",
        lambda *args, tune=choosing.tune, **kw: seen.append(len(args[2])) or tune(*args, **kw),
    )
    report = fit_table(make_table(n_per_class=50), FitConfig(cv=4)).report
    assert seen == [report.n_train, *[report.n_train * 3 // 4] * 4]


def test_many_rows_are_tuned_on_some_of_them(monkeypatch):
    monkeypatch.setattr(choosing, "TUNE_ROWS", 100)
    table = make_table(n_classes=2, n_per_class=250, spread=1.5)
    rows = np.arange(0, 500, 2)
    choice = choose_value(table, rows, FitConfig(clf="logreg"))
    assert len(choice.rows) == 100
    assert set(choice.rows) <= set(rows)
    assert np.bincount(table.labels[choice.rows]).tolist() == [50, 50]
    assert choice.value == pytest.approx(choice.tuning.best * 100 / 250, rel=0.06)
    assert any("Tuned on 100 of the 250" in note for note in choice.notes)


def test_few_shots_leave_the_other_images_unused():
    table = make_table(n_per_class=40)
    report = fit_table(table, FitConfig(shots=5)).report
    assert report.n_train == 15
    assert report.n_train + report.n_test + report.n_unused == 120
    assert report.n_unused > 0


class TestGates:
    table = make_table(n_classes=2, n_per_class=60, spread=1.5)

    def test_what_is_met_and_what_is_not(self):
        gates = Gates(min_accuracy=0.1, min_recall={"class 0": 1.0})
        report = fit_table(self.table, FitConfig(), gates=gates).report
        accuracy, recall = report.gates
        assert accuracy == {
            "name": "accuracy",
            "least": 0.1,
            "found": report.accuracy,
            "met": True,
        }
        assert recall["name"] == "recall of class 0"
        assert recall["met"] == (report.per_class[0]["recall"] == 1.0)

    def test_a_class_that_is_not_there_is_refused_before_the_fit(self, monkeypatch):
        monkeypatch.setattr(choosing, "tune", None)
        with pytest.raises(ConfigError, match=r"no class: 'cat'.*'class 0', 'class 1'"):
            fit_table(self.table, FitConfig(), gates=Gates(min_recall={"cat": 0.9}))


def test_colours_are_a_baseline_where_images_are_there():
    table = make_table(n_classes=2, n_per_class=40)

    def colours(rows):
        histograms = np.eye(2, dtype=np.float32)[table.labels[rows]]
        return histograms, np.arange(len(rows)) > 0  # the first image is gone

    report = fit_table(table, FitConfig(), colours=colours).report
    found = report.baselines[-1]
    assert found["name"] == "colour histogram"
    assert found["accuracy"] == 1
    assert (found["n_train"], found["n_test"]) == (report.n_train - 1, report.n_test)
    nothing = fit_table(
        table, FitConfig(), colours=lambda rows: (np.zeros((len(rows), 2), np.float32), rows < 0)
    )
    assert len(nothing.report.baselines) == 2


def test_a_learning_curve_of_too_few_rows_is_refused():
    with pytest.raises(ClassifierError, match="learning curve needs more training images"):
        fit_table(make_table(n_classes=2, n_per_class=2), FitConfig(learning_curve=True))

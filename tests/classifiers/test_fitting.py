import pickle

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.classifiers import (
    PARAMETERS,
    can_calibrate,
    class_scores,
    default_value,
    fit_calibrated,
    fit_classifier,
    loss_curve,
    make_classifier,
    score_kind,
)
from pipeline.config import CLASSIFIERS, TAKES_C
from pipeline.errors import ClassifierError, FeatureMismatchError
from tests.feature_tables import make_table


def fitted(clf, table, **options):
    classifier = make_classifier(clf, n_samples=len(table.labels), **options)
    return fit_classifier(classifier, table.features, table.labels)[0]


@pytest.mark.parametrize("clf", CLASSIFIERS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_classifier_learns_and_scores_alike(clf, n_classes):
    table = make_table(n_classes=n_classes, n_per_class=40)
    model = fitted(clf, table)
    scores = class_scores(model, table.features, n_classes=n_classes)
    assert scores.shape == (len(table.labels), n_classes)
    assert np.mean(scores.argmax(axis=1) == table.labels) > 0.95
    np.testing.assert_array_equal(scores.argmax(axis=1), model.predict(table.features))


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_scores_are_probabilities_where_they_are_said_to_be(clf):
    table = make_table(n_classes=2)
    model = fitted(clf, table)
    scores = class_scores(model, table.features, n_classes=2)
    if clf in ("svm", "linear-svm", "ridge"):
        assert score_kind(model) == "decision"
        np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])
    else:
        assert score_kind(model) == "probability"
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_class_without_training_rows_keeps_its_column(clf):
    table = make_table(n_classes=4)
    seen = table.labels != 2
    classifier = make_classifier(clf, n_samples=int(seen.sum()))
    model, _ = fit_classifier(classifier, table.features[seen], table.labels[seen])
    scores = class_scores(model, table.features, n_classes=5)
    assert scores.shape == (len(table.labels), 5)
    assert set(scores.argmax(axis=1)) <= {0, 1, 3}
    assert np.mean(scores[seen].argmax(axis=1) == table.labels[seen]) > 0.95
    worst = 0 if score_kind(model) == "probability" else -np.inf
    assert (scores[:, [2, 4]] == worst).all()


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_same_random_state_gives_the_same_scores(clf):
    table = make_table()
    first, second = (
        class_scores(fitted(clf, table, random_state=3), table.features, n_classes=3)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_fault_45_constant_columns_do_no_harm(clf):
    table = make_table(n_per_class=40)
    X = np.hstack([table.features, np.full((len(table.labels), 2), [0, 7.3], np.float32)])
    model, notes = fit_classifier(
        make_classifier(clf, n_samples=len(table.labels)), X, table.labels
    )
    assert np.isfinite(class_scores(model, X, n_classes=3)).all()
    assert model.score(X, table.labels) > 0.95
    assert notes == ()


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_fault_45_values_that_are_all_the_same_are_said(clf):
    table = make_table()
    X = np.full_like(table.features, 7.3)
    classifier = make_classifier(clf, n_samples=len(table.labels))
    model, notes = fit_classifier(classifier, X, table.labels)
    assert np.isfinite(class_scores(model, X, n_classes=3)).all()
    assert len(set(model.predict(X))) == 1
    assert "all training images are the same: the classifier can only guess" in notes[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_fault_44_rows_that_are_not_finite_are_refused(bad):
    table = make_table()
    X = table.features.copy()
    X[[3, 17], 2] = bad
    with pytest.raises(ClassifierError, match=r"Row 3 .* not finite .* 1 more.*--overwrite"):
        fit_classifier(make_classifier("logreg", n_samples=len(table.labels)), X, table.labels)


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_fault_44_scores_of_values_that_are_not_finite_are_refused(clf):
    table = make_table()
    X = table.features.copy()
    X[5, 0] = np.nan
    with pytest.raises(ClassifierError, match=r"Row 5 of the transfer values is not finite"):
        class_scores(fitted(clf, table), X, n_classes=3)


@pytest.mark.parametrize("clf", CLASSIFIERS)
@pytest.mark.parametrize("n_classes", [2, 10])
def test_fault_51_one_row_is_the_same_row_among_others_bit_for_bit(clf, n_classes):
    table = make_table(n_classes=n_classes, n_features=512, spread=3.0)
    model = fitted(clf, table)
    together = class_scores(model, table.features, n_classes=n_classes)
    alone = [class_scores(model, row[np.newaxis], n_classes=n_classes)[0] for row in table.features]
    np.testing.assert_array_equal(np.stack(alone), together)
    backwards = class_scores(model, table.features[::-1], n_classes=n_classes)
    np.testing.assert_array_equal(backwards[::-1], together)
    method = "predict_proba" if score_kind(model) == "probability" else "decision_function"
    own = getattr(model, method)(table.features).reshape(len(table.labels), -1)
    np.testing.assert_allclose(together[:, -own.shape[1] :], own, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("clf", CLASSIFIERS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_fault_51_no_rows_have_no_scores(clf, n_classes):
    table = make_table(n_classes=n_classes)
    model = fitted(clf, table)
    scores = class_scores(model, table.features[:0], n_classes=n_classes)
    assert scores.shape == (0, n_classes)
    assert scores.dtype == class_scores(model, table.features, n_classes=n_classes).dtype


@pytest.mark.parametrize("clf", CLASSIFIERS)
@pytest.mark.parametrize("shape", [(2, 7), (2, 9), (0, 9), (8,), (2, 8, 1)])
def test_fault_51_rows_of_another_width_are_refused(clf, shape):
    model = fitted(clf, make_table(n_features=8))
    with pytest.raises(FeatureMismatchError, match=r"takes 8 .*\(n, 8\), got \("):
        class_scores(model, np.zeros(shape, np.float32), n_classes=3)


def test_float32_stays_float32():
    table = make_table()
    for clf in ("logreg", "mlp"):
        assert class_scores(fitted(clf, table), table.features, n_classes=3).dtype == np.float32


def test_fitting_leaves_its_arguments_alone():
    table = make_table()
    classifier = make_classifier("logreg", n_samples=len(table.labels))
    before = table.features.copy()
    fit_classifier(classifier, table.features, table.labels)
    assert not hasattr(classifier[-1], "coef_")
    np.testing.assert_array_equal(table.features, before)


@pytest.mark.parametrize("clf", TAKES_C)
def test_settings_reach_the_estimator(clf):
    estimator = make_classifier(clf, n_samples=60, value=0.5, class_weight="balanced")[-1]
    assert (estimator.C, estimator.class_weight) == (0.5, "balanced")
    assert default_value(clf, n_samples=60) == make_classifier(clf, n_samples=60)[-1].C


def test_every_tuned_parameter_is_one_of_the_estimator():
    for clf, name in PARAMETERS.items():
        estimator = make_classifier(clf, n_samples=60, value=4)[-1]
        assert getattr(estimator, name) == 4


@pytest.mark.parametrize(
    ("n_samples", "C"), [(2, 1), (30, 1), (300, 0.1), (10_000, 0.003), (10**6, 0.003)]
)
def test_logistic_regression_is_regularised_by_its_number_of_rows(n_samples, C):
    assert default_value("logreg", n_samples=n_samples) == C


def test_few_rows_of_unequal_classes_are_not_all_called_the_larger():
    table = make_table(n_classes=2, n_per_class=60, n_features=64, spread=0.5)
    rows = np.r_[0:55, 60:65]
    classifier = make_classifier("logreg", n_samples=60)
    model, _ = fit_classifier(classifier, table.features[rows], table.labels[rows])
    assert model.predict(table.features[65:]).mean() > 0.9


def test_balanced_weights_raise_the_recall_of_a_rare_class():
    table = make_table(n_classes=2, n_per_class=300, spread=2.0)
    rows = np.r_[0:300, 300:315]
    X, y = table.features[rows], table.labels[rows]

    def rare_recall(class_weight):
        classifier = make_classifier("logreg", n_samples=len(y), class_weight=class_weight)
        return fit_classifier(classifier, X, y)[0].predict(table.features[300:]).mean()

    assert rare_recall("balanced") > rare_recall(None) + 0.2


def test_fault_49_no_convergence_is_said_and_not_a_raw_warning():
    table = make_table(spread=3.0)
    hasty = make_pipeline(StandardScaler(), LogisticRegression(C=100, max_iter=1))
    _, notes = fit_classifier(hasty, table.features, table.labels)
    assert len(notes) == 1
    assert "after 1 iterations without having converged" in notes[0]
    assert "smaller --C than 100" in notes[0]


@pytest.mark.parametrize("clf", ["mlp", "knn"])
def test_few_rows_are_enough(clf):
    table = make_table(n_classes=3, n_per_class=1)
    classifier = make_classifier(clf, n_samples=len(table.labels))
    model, notes = fit_classifier(classifier, table.features, table.labels)
    assert class_scores(model, table.features, n_classes=3).shape == (3, 3)
    assert all("converged" in note for note in notes)


def test_unsigned_seeds_beyond_scikit_learns_range_are_taken():
    table = make_table()
    assert fitted("mlp", table, random_state=2**40).score(table.features, table.labels) > 0.9


def test_the_mlp_stops_early_only_where_rows_can_be_spared():
    assert not make_classifier("mlp", n_samples=999)[-1].early_stopping
    assert make_classifier("mlp", n_samples=1000)[-1].early_stopping
    table = make_table(n_classes=2, n_per_class=600)
    labels = table.labels.copy()
    labels[0] = 2  # a class of one cannot be held out
    model, _ = fit_classifier(make_classifier("mlp", n_samples=1200), table.features, labels)
    assert not model[-1].early_stopping


class TestLossCurve:
    def test_where_training_stopped_early_the_best_epoch_is_the_one_that_stays(self):
        table = make_table(n_classes=2, n_per_class=600, spread=2.0)
        model = fitted("mlp", table)
        found = loss_curve(model)
        n_epochs, best = len(found["loss"]), found["best_epoch"]
        assert len(found["validation_accuracy"]) == n_epochs > best > 1
        assert found["validation_accuracy"][best - 1] == max(found["validation_accuracy"])
        assert found["loss"][-1] < found["loss"][0]
        shorter = make_classifier("mlp", n_samples=1200)
        shorter[-1].set_params(max_iter=best)
        until_then, _ = fit_classifier(shorter, table.features, table.labels)
        np.testing.assert_array_equal(until_then[-1].coefs_[0], model[-1].coefs_[0])

    def test_where_nothing_is_held_out_the_last_epoch_stays(self):
        found = loss_curve(fitted("mlp", make_table()))
        assert found["validation_accuracy"] is None
        assert found["best_epoch"] == len(found["loss"]) > 1

    @pytest.mark.parametrize("clf", ["logreg", "knn"])
    def test_what_has_no_epochs_has_none(self, clf):
        assert loss_curve(fitted(clf, make_table())) is None

    def test_nor_has_a_calibrated_one(self):
        table = make_table(n_per_class=30)
        classifier = make_classifier("svm", n_samples=90)
        model, _ = fit_calibrated(classifier, table.features, table.labels, fold=np.arange(90) % 3)
        assert loss_curve(model) is None


class TestCalibrated:
    @pytest.mark.parametrize("clf", ["svm", "linear-svm", "ridge"])
    @pytest.mark.parametrize("n_classes", [2, 4])
    def test_probabilities_that_never_change_the_answer(self, clf, n_classes):
        table = make_table(n_classes=n_classes, n_per_class=60, spread=1.2)
        X, y, fold = table.features, table.labels, np.arange(len(table.labels)) % 3
        classifier = make_classifier(clf, n_samples=len(y))
        model, notes = fit_calibrated(classifier, X, y, fold=fold)
        assert notes == ()
        assert score_kind(model) == "probability"
        scores = class_scores(model, X, n_classes=n_classes)
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
        plain, _ = fit_classifier(classifier, X, y)
        decided = class_scores(plain, X, n_classes=n_classes).argmax(axis=1)
        assert np.mean(scores.argmax(axis=1) == decided) > 0.99
        # Of answers given with 70 to 90 %, about so many are right.
        fresh = make_table(n_classes=n_classes, n_per_class=60, spread=1.2, seed=0)
        sure = class_scores(model, fresh.features, n_classes=n_classes).max(axis=1)
        assert 0.4 < sure.mean() < 1

    @pytest.mark.parametrize("clf", ["svm", "linear-svm", "ridge"])
    def test_fault_51_one_row_is_the_same_row_among_others_bit_for_bit(self, clf):
        table = make_table(n_classes=5, n_features=512, spread=3.0)
        fold = np.arange(len(table.labels)) % 3
        classifier = make_classifier(clf, n_samples=len(table.labels))
        model, _ = fit_calibrated(classifier, table.features, table.labels, fold=fold)
        together = class_scores(model, table.features, n_classes=5)
        alone = [class_scores(model, row[np.newaxis], n_classes=5)[0] for row in table.features]
        np.testing.assert_array_equal(np.stack(alone), together)

    def test_what_is_kept_holds_no_folds_and_no_fast_estimator(self):
        table = make_table(n_classes=2, n_per_class=200)
        fold = np.arange(400) % 3
        classifier = make_classifier("svm", n_samples=400)
        model, _ = fit_calibrated(classifier, table.features, table.labels, fold=fold)
        assert b"sklearnex" not in pickle.dumps(model)
        assert b"onedal" not in pickle.dumps(model)
        assert model.cv == 3

    def test_it_takes_every_class_outside_of_every_fold(self):
        y = np.array([0, 0, 1, 1, 2])
        assert can_calibrate(y[:4], np.array([0, 1, 0, 1]))
        assert not can_calibrate(y, np.array([0, 1, 0, 1, 1]))


@pytest.mark.parametrize("known", [(1, 3), (0, 2, 4)])
@pytest.mark.parametrize("clf", ["svm", "linear-svm", "ridge"])
def test_labels_with_gaps_are_calibrated_as_those_without(clf, known):
    table = make_table(n_classes=len(known), spread=1.5)
    classifier = make_classifier(clf, n_samples=len(table.labels))
    fold = np.arange(len(table.labels)) % 3
    labels = np.asarray(known)[table.labels]
    plain, _ = fit_calibrated(classifier, table.features, table.labels, fold=fold)
    gapped, _ = fit_calibrated(classifier, table.features, labels, fold=fold)
    expected = plain.predict_proba(table.features)
    np.testing.assert_allclose(gapped.predict_proba(table.features), expected, atol=1e-6)
    np.testing.assert_array_equal(gapped.classes_, known)
    inner = gapped.calibrated_classifiers_[0].estimator
    assert set(inner.predict(table.features)) == set(gapped.predict(table.features)) == set(known)

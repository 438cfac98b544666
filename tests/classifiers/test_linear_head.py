import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC

from pipeline.classifiers import (
    class_scores,
    fit_calibrated,
    fit_classifier,
    linear_head,
    make_classifier,
)
from pipeline.streaming import fit_stream
from tests.feature_tables import make_table

LINEAR = ("logreg", "linear-svm", "ridge")


def table_of(n_classes):
    """Values of very unlike scales and far from zero, which the scaler has to make alike."""
    table = make_table(n_classes=n_classes, n_per_class=30, spread=1.0)
    n_features = table.features.shape[1]
    X = table.features * np.geomspace(0.1, 100, n_features) + np.arange(n_features)
    return X.astype(np.float32), table.labels


def unfitted(clf, y):
    return make_classifier(clf, n_samples=len(y))


def decisions(classifier, X, n_classes):
    """One column a class, in float64; two classes share what the classifier says."""
    scores = classifier.decision_function(X.astype(np.float64))
    return np.column_stack([-scores, scores]) / 2 if n_classes == 2 else scores


def assert_explains(head, X, expected):
    assert head.weights.dtype == head.constants.dtype == np.float64
    scores = X.astype(np.float64) @ head.weights.T + head.constants
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("clf", LINEAR)
class TestEveryLinearClassifier:
    def test_in_memory(self, clf, n_classes):
        X, y = table_of(n_classes)
        classifier, _ = fit_classifier(unfitted(clf, y), X, y)
        head = linear_head(classifier, n_classes=n_classes)
        assert_explains(head, X, decisions(classifier, X, n_classes))

    def test_streamed(self, clf, n_classes):
        X, y = table_of(n_classes)
        fitted = fit_stream(clf, lambda order: [(slice(0, len(X)), X.copy())], y, np.arange(len(y)))
        head = linear_head(fitted.classifier, n_classes=n_classes)
        assert_explains(head, X, decisions(fitted.classifier, X, n_classes))

    def test_the_order_of_the_classes_is_that_of_class_scores(self, clf, n_classes):
        X, y = table_of(n_classes)
        classifier, _ = fit_classifier(unfitted(clf, y), X, y)
        head = linear_head(classifier, n_classes=n_classes)
        answers = (X @ head.weights.T + head.constants).argmax(axis=1)
        scores = class_scores(classifier, X, n_classes=n_classes)
        np.testing.assert_array_equal(answers, scores.argmax(axis=1))


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("clf", ["linear-svm", "ridge"])
def test_within_calibrated_probabilities_the_decision_is_explained(clf, n_classes):
    X, y = table_of(n_classes)
    calibrated, _ = fit_calibrated(unfitted(clf, y), X, y, fold=np.arange(len(y)) % 3)
    head = linear_head(calibrated, n_classes=n_classes)
    inner = calibrated.calibrated_classifiers_[0].estimator
    assert_explains(head, X, decisions(inner, X, n_classes))
    scores = class_scores(calibrated, X, n_classes=n_classes)
    answers = (X @ head.weights.T + head.constants).argmax(axis=1)
    np.testing.assert_array_equal(answers, scores.argmax(axis=1))


@pytest.mark.parametrize("n_seen", [2, 4])
def test_a_class_that_was_never_seen_is_never_the_answer(n_seen):
    X, y = table_of(n_seen)
    labels = np.array([0, 3, 4, 6])[y]
    classifier, _ = fit_classifier(unfitted("logreg", labels), X, labels)
    head = linear_head(classifier, n_classes=7)
    seen = np.unique(labels)
    assert head.weights.shape == (7, X.shape[1])
    assert np.flatnonzero(np.isfinite(head.constants)).tolist() == seen.tolist()
    scores = X.astype(np.float64) @ head.weights[seen].T + head.constants[seen]
    np.testing.assert_allclose(scores, decisions(classifier, X, n_seen), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_of_logistic_regression_differences_are_logarithms_of_ratios(n_classes):
    X, y = table_of(n_classes)
    classifier, _ = fit_classifier(unfitted("logreg", y), X, y)
    head = linear_head(classifier, n_classes=n_classes)
    scores = X.astype(np.float64) @ head.weights.T + head.constants
    logarithms = classifier.predict_log_proba(X.astype(np.float64))
    expected = logarithms[:, 1] - logarithms[:, 0]
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clf", ["svm", "mlp", "knn"])
def test_what_is_not_linear_has_none(clf):
    X, y = table_of(2)
    classifier, _ = fit_classifier(unfitted(clf, y), X, y)
    assert linear_head(classifier, n_classes=2) is None


def test_an_svm_with_a_kernel_has_none_within_a_calibration_either():
    X, y = table_of(2)
    calibrated, _ = fit_calibrated(unfitted("svm", y), X, y, fold=np.arange(len(y)) % 3)
    assert linear_head(calibrated, n_classes=2) is None


def test_other_scalers_several_calibrated_fits_and_bare_estimators_have_none():
    X, y = table_of(3)
    bent = make_pipeline(StandardScaler(), Normalizer(), LogisticRegression()).fit(X, y)
    several = CalibratedClassifierCV(unfitted("ridge", y), method="temperature", cv=3).fit(X, y)
    for classifier in (bent, several, LogisticRegression(max_iter=1000).fit(X[:, :2], y), SVC()):
        assert linear_head(classifier, n_classes=3) is None


@pytest.mark.parametrize("off", ["with_mean", "with_std"])
def test_a_scaler_that_leaves_a_step_out(off):
    X, y = table_of(3)
    classifier = make_pipeline(StandardScaler(**{off: False}), LogisticRegression(max_iter=5000))
    classifier.fit(X, y)
    assert_explains(linear_head(classifier, n_classes=3), X, decisions(classifier, X, 3))

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.classifiers import class_scores, fit_calibrated, fit_classifier, fold, make_classifier
from pipeline.config import CLASSIFIERS
from pipeline.errors import ClassifierError
from tests.feature_tables import make_table
from tests.heads import run_head

ONLY_DECISIONS = ("svm", "linear-svm", "ridge")


def fit_on(table, clf, *, known=None, calibrated=False):
    y = table.labels if known is None else np.asarray(known, np.int32)[table.labels]
    classifier = make_classifier(clf, n_samples=len(y))
    if not calibrated:
        return fit_classifier(classifier, table.features, y)[0]
    return fit_calibrated(classifier, table.features, y, fold=np.arange(len(y)) % 3)[0]


def check(fitted, table, *, n_classes):
    values = np.concatenate([table.features, 3 * table.features + 1, 0 * table.features[:1]])
    expected = class_scores(fitted, values, n_classes=n_classes)
    head = fold(fitted, n_classes=n_classes)
    found = run_head(head, values)
    known = np.isfinite(expected)
    np.testing.assert_allclose(found[known], expected[known], atol=2e-6, rtol=1e-5)
    assert (found[~known] <= -1e8).all()
    return head


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_layers_answer_as_the_classifier_does(clf, n_classes):
    table = make_table(n_classes=n_classes, spread=1.5)
    fitted = fit_on(table, clf)
    head = check(fitted, table, n_classes=n_classes)
    assert head.kind == ("score" if clf in ONLY_DECISIONS else "probability")


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("clf", ONLY_DECISIONS)
def test_calibrated_probabilities_are_folded_too(clf, n_classes):
    table = make_table(n_classes=n_classes, spread=1.5)
    head = check(fit_on(table, clf, calibrated=True), table, n_classes=n_classes)
    assert head.kind == "probability"


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("known", [(1, 3), (0, 2, 4)])
@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_classes_that_were_never_seen_get_nothing(clf, known, calibrated):
    if calibrated and clf not in ONLY_DECISIONS:
        pytest.skip("has probabilities of its own")
    table = make_table(n_classes=len(known), spread=1.5)
    fitted = fit_on(table, clf, known=known, calibrated=calibrated)
    head = check(fitted, table, n_classes=6)
    if head.kind == "probability":
        unseen = sorted(set(range(6)) - set(known))
        assert (run_head(head, table.features)[:, unseen] == 0).all()


def test_linear_ones_are_one_matrix_and_the_others_say_what_they_keep():
    table = make_table()
    for clf in CLASSIFIERS:
        head = fold(fit_on(table, clf), n_classes=3)
        assert head.is_linear == (clf in ("logreg", "linear-svm", "ridge"))
        assert bool(head.kept) == (clf in ("svm", "knn"))
    assert "60 training images" in head.kept or "60" in fold(fit_on(table, "knn"), n_classes=3).kept


def test_a_constant_column_does_not_matter():
    table = make_table()
    table.features[:, 2] = 7.0
    check(fit_on(table, "logreg"), table, n_classes=3)


def test_what_fit_does_not_make_is_refused():
    table = make_table()
    other = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss"))
    other.fit(table.features, table.labels)
    with pytest.raises(ClassifierError, match="SGDClassifier cannot be written"):
        fold(other, n_classes=3)

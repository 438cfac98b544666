import numpy as np
import pytest

from pipeline.classifiers import scale_to, tune, tuning
from pipeline.config import CLASSIFIERS
from tests.feature_tables import add_mirror, make_table


def tuned(clf, table, *, n_folds=3, **options):
    fold = np.arange(len(table.labels)) % n_folds
    n_classes = len(table.class_names)
    return tune(clf, table.features, table.labels, fold=fold, n_classes=n_classes, **options)


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_the_best_value_is_one_of_the_best(clf):
    found = tuned(clf, make_table(n_per_class=30, spread=1.5))
    means = found.scores.mean(axis=1)
    assert found.best in found.values
    assert means[found.values.index(found.best)] >= means.max() - tuning.EQUAL
    assert list(found.values) == sorted(found.values)
    assert found.scores.shape == (len(found.values), 3)
    about = found.to_dict()
    assert about["means"] == means.tolist()
    assert (about["n_folds"], about["n_rows"], about["scoring"]) == (3, 90, "accuracy")


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_rows_are_scored_by_classifiers_that_had_not_seen_them(clf):
    # Labels that nothing explains: whoever saw a row could name its label, others guess.
    noise = np.random.default_rng(0).normal(size=(240, 64)).astype(np.float32)
    table = make_table(n_classes=2, n_per_class=120, features=noise)
    found = tuned(clf, table, n_folds=4)
    right = np.mean(found.out_of_fold.argmax(axis=1) == table.labels)
    assert 0.3 < right < 0.68
    assert found.scores.mean() == pytest.approx(0.5, abs=0.12)


def test_out_of_fold_scores_are_those_of_the_best_value():
    table = make_table(n_per_class=40, spread=1.5)
    found = tuned("logreg", table)
    right = found.out_of_fold.argmax(axis=1) == table.labels
    by_fold = [right[found.fold == k].mean() for k in range(3)]
    np.testing.assert_allclose(by_fold, found.scores[found.values.index(found.best)])


@pytest.mark.parametrize(
    ("optimum", "extended"), [(1e-6, True), (1e-2, False), (1e2, True), (1e9, True)]
)
def test_the_grid_is_left_while_the_accuracy_rises_to_its_edge(optimum, extended, monkeypatch):
    table = make_table(n_classes=2, n_per_class=150)

    def answer(task, value, k):
        """Be wrong the more often, the further the value is from the optimum."""
        inside = np.flatnonzero(task.fold == k)
        share = min(1, abs(np.log10(value / optimum)) / 16)
        scores = np.eye(2, dtype=np.float32)[task.y[inside]]
        wrong = np.arange(len(inside)) < share * len(inside)
        scores[wrong] = 1 - scores[wrong]
        return scores, ()

    monkeypatch.setattr(tuning, "_fit_fold", answer)
    found = tuned("logreg", table)
    assert found.extended == extended
    low, high = tuning.LIMITS["logreg"]
    assert found.best == pytest.approx(min(max(optimum, low), high), rel=0.01)
    assert len(found.values) < 15


def test_among_equals_the_nearest_to_the_default_is_taken():
    found = tuned("svm", make_table(n_per_class=40, spread=0.05))
    assert (found.scores == 1).all()
    assert found.best == 10


def test_balanced_weights_are_tuned_for_balanced_accuracy():
    table = make_table(n_classes=2, n_per_class=100, spread=2.0)
    rows = np.r_[0:100, 100:115]
    fold = np.arange(len(rows)) % 3
    X, y = table.features[rows], table.labels[rows]
    found = tune("logreg", X, y, fold=fold, n_classes=2, class_weight="balanced")
    assert found.to_dict()["scoring"] == "balanced accuracy"
    right = found.out_of_fold.argmax(axis=1) == y
    by_fold = [np.mean([right[(fold == k) & (y == c)].mean() for c in (0, 1)]) for k in range(3)]
    np.testing.assert_allclose(by_fold, found.scores[found.values.index(found.best)])


def test_each_view_is_fitted_on_and_the_average_is_asked_about():
    table = make_table(n_per_class=30, spread=1.0)
    mirrored = add_mirror(table, shift=4.0)
    asked = []
    scores_of = tuning.fold_scores

    def watch(classifier, X, *, n_classes):
        asked.append((classifier[0].n_samples_seen_, X.copy()))
        return scores_of(classifier, X, n_classes=n_classes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "fold_scores", watch)
        tuned("knn", mirrored, n_views=2)
    assert {int(n) for n, _ in asked} == {120}
    expected = table.features[np.arange(90) % 3 == 0] + np.float32(2)
    assert any(np.allclose(X, expected, atol=1e-6) for _, X in asked)


def test_progress_ends_where_it_was_expected():
    told = []
    tuned("linear-svm", make_table(), on_progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] <= told[-1][1]


@pytest.mark.parametrize("clf", ["logreg", "linear-svm"])
def test_a_sum_over_more_rows_needs_less_of_c(clf):
    assert scale_to(clf, 0.01, n_tuned=10_000, n_samples=50_000) == 0.002
    assert scale_to(clf, 0.01, n_tuned=100, n_samples=100) == 0.01
    assert scale_to("svm", 10.0, n_tuned=10_000, n_samples=50_000) == 10.0


def test_more_neighbours_than_rows_are_not_tried():
    found = tuned("knn", make_table(n_classes=2, n_per_class=4), n_folds=2)
    assert max(found.values) <= 4

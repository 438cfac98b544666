"""Bigger than memory: the fit of blocks is that of all rows, and looks at training rows alone."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from pipeline.cache import (
    StoreWriter,
    create_store,
    read_features,
    store_path,
    stream_features,
)
from pipeline.errors import ClassifierError, ConfigError
from pipeline.streaming import (
    STREAMED,
    choosing,
    descents,
    fit_stream,
    linear,
    needs_streaming,
    network,
    problems,
    score_stream,
)
from pipeline.streaming.descent import Descent
from pipeline.streaming.passes import hold_out
from tests.feature_tables import make_table
from tests.made_stores import (
    make_manifest,
    make_recipe,
    make_store,
    small_blocks,  # noqa: F401
    write_block,
)

LINEAR = ("logreg", "linear-svm", "ridge")
IN_MEMORY = {
    "logreg": partial(LogisticRegression, tol=1e-8, max_iter=2000),
    "linear-svm": partial(LinearSVC, tol=1e-8, max_iter=20000),
    "ridge": RidgeClassifier,
}


def blocks_of(X, length=16):
    """All rows in blocks, as a store gives them: sorted by class where the rows are."""

    def blocks(order=None):
        for number in range(-(-len(X) // length)) if order is None else order:
            rows = slice(int(number) * length, min(int(number) * length + length, len(X)))
            yield rows, X[rows].copy()

    return blocks


@pytest.fixture(scope="module")
def clouds():
    """Classes that overlap, so that settings matter; every fifth row tests."""
    table = make_table(n_classes=3, n_per_class=150, n_features=12, spread=1.2)
    train = np.flatnonzero(np.arange(len(table.labels)) % 5)
    return table.features, table.labels, train


def others(train, n_rows):
    return np.setdiff1d(np.arange(n_rows), train)


def accuracy(fitted, X, y):
    return float(np.mean(fitted.classifier.predict(X) == y))


@pytest.mark.parametrize("clf", LINEAR)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_linear_classifiers_end_where_they_end_in_memory(
    monkeypatch, clouds, clf, n_classes, class_weight
):
    X, labels, train = clouds
    train = train[labels[train] < n_classes]
    train = train[(labels[train] > 0) | (train % 3 == 0)]  # a class of fewer rows
    monkeypatch.setattr(linear, "TOLERANCE", 1e-7)
    given = {} if clf == "ridge" else {"C": 0.02}
    fitted = fit_stream(
        clf, blocks_of(X), labels, train, tune=False, class_weight=class_weight, **given
    )
    settings = {"alpha": float(f"{len(train) / 10:.2g}")} if clf == "ridge" else given
    expected = IN_MEMORY[clf](class_weight=class_weight, **settings)
    scaled = fitted.classifier[:-1].transform(X[train])
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)
    expected.fit(scaled.astype(np.float64), labels[train])
    found = fitted.classifier[-1]
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=2e-3)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, atol=2e-3)
    np.testing.assert_array_equal(fitted.classifier.classes_, np.arange(n_classes))


@pytest.mark.parametrize("clf", STREAMED)
def test_blocks_of_one_class_each_teach_all_classes(clouds, clf):
    X, labels, train = clouds
    fitted = fit_stream(clf, blocks_of(X), labels, train)
    test = others(train, len(X))
    assert accuracy(fitted, X[test], labels[test]) > 0.85


@pytest.mark.parametrize("clf", STREAMED)
def test_a_network_and_weights_do_not_change_with_test_rows_or_their_labels(clouds, clf):
    X, labels, train = clouds
    test = others(train, len(X))
    poisoned, lies = X.copy(), labels.copy()
    poisoned[test], lies[test] = np.nan, -7
    one = fit_stream(clf, blocks_of(X), labels, train)
    two = fit_stream(clf, blocks_of(poisoned), lies, np.isin(np.arange(len(X)), train))
    assert one.tuning == two.tuning
    np.testing.assert_array_equal(one.classifier.predict(X), two.classifier.predict(X))


def test_labels_that_only_test_rows_could_teach_are_not_learnt():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(600, 10)).astype(np.float32), rng.integers(0, 2, 600)
    test = np.arange(0, 600, 2)
    X[test, 0] = 5 * labels[test]  # gives the label away, on test rows alone
    train = others(test, 600)
    for clf in STREAMED:
        fitted = fit_stream(clf, blocks_of(X), labels, train)
        assert accuracy(fitted, X[test], labels[test]) < 0.6


@pytest.mark.parametrize("clf", ["logreg", "mlp"])
def test_the_same_seed_gives_the_same_fit_and_another_one_another(clouds, clf):
    X, labels, train = clouds
    fits = [
        fit_stream(clf, blocks_of(X), labels, train, random_state=seed) for seed in (1, 1, 2**32, 0)
    ]
    scores = [one.classifier.predict_proba(X) for one in fits]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[2], scores[3])
    means = [one.tuning and one.tuning["means"] for one in fits]
    assert means[0] != means[2] or (scores[0] != scores[2]).any()


class TestHeldOutRows:
    def test_are_a_tenth_and_leave_every_class_some(self):
        y = np.repeat([0, 1, 2], [500, 499, 1])
        for seed in range(20):
            held_out = hold_out(y, np.arange(1000), seed=seed)
            assert 90 <= held_out.sum() <= 100
            assert (np.bincount(y[~held_out], minlength=3) > 0).all()

    def test_keep_units_together(self):
        units = np.arange(1000) // 4
        held_out = hold_out(np.zeros(1000, int), units, seed=0)
        assert 90 <= held_out.sum() <= 100
        assert set(units[held_out]).isdisjoint(units[~held_out])

    def test_units_are_numbered_over_all_rows(self, monkeypatch, clouds):
        X, labels, train = clouds
        units, seen = np.arange(len(X)) // 3, []
        monkeypatch.setattr(
            "pipeline.streaming.fitting.hold_out",
            lambda y, units, *, seed: seen.append(units) or hold_out(y, units, seed=seed),
        )
        fit_stream("ridge", blocks_of(X), labels, train, units=units)
        np.testing.assert_array_equal(seen[0], units[train])

    def test_may_be_none_which_is_said(self):
        X = np.arange(12, dtype=np.float32).reshape(6, 2)
        labels = np.array([0, 0, 0, 1, 1, 1])
        for clf in STREAMED:
            fitted = fit_stream(clf, blocks_of(X), labels, np.arange(6))
            assert fitted.tuning is None
            assert "Too few training images to hold some out" in fitted.notes[0]


class TestTuning:
    def test_finds_the_setting_of_the_best_held_out_accuracy(self, clouds):
        X, labels, train = clouds
        fitted = fit_stream("logreg", blocks_of(X), labels, train)
        tuning = fitted.tuning
        assert " ".join(tuning) == (
            "parameter scoring n_folds n_rows values means stds best extended"
        )
        assert tuning["means"][tuning["values"].index(tuning["best"])] == max(tuning["means"])
        assert fitted.used["C"] == fitted.classifier[-1].C == tuning["best"]

    def test_goes_on_beyond_the_edge(self, monkeypatch, clouds):
        X, labels, train = clouds
        far = replace(problems.PROBLEMS["logreg"], default=lambda _: 1e-2, n_beside=1)
        monkeypatch.setitem(problems.PROBLEMS, "logreg", far)
        most = train[(labels[train] == 2) | (train % 3 == 0)]  # else too small a C does no harm
        fitted = fit_stream("logreg", blocks_of(X), labels, most)
        assert fitted.tuning["values"] == [3.2e-3, 1e-2, 3.2e-2, 0.1, 0.32]
        assert fitted.tuning["best"] == 0.1
        assert fitted.tuning["extended"]
        assert not fitted.notes

    def test_the_intercept_finds_the_frequent_class_however_strong_the_penalty(self):
        rng = np.random.default_rng(0)
        X, labels = (
            rng.normal(size=(300, 5)).astype(np.float32),
            np.repeat([0, 1, 2], [30, 30, 240]),
        )
        fitted = fit_stream("logreg", blocks_of(X), labels, np.arange(300), C=1e-6)
        assert (fitted.classifier.predict(X) == 2).all()
        shares = fitted.classifier.predict_proba(X).mean(axis=0)
        np.testing.assert_allclose(shares, [0.1, 0.1, 0.8], atol=0.02)

    def test_says_that_the_best_is_at_the_edge(self, monkeypatch, clouds):
        monkeypatch.setattr(choosing, "MAX_EXTENSIONS", 0)
        monkeypatch.setattr(choosing, "_best_of", lambda tried, default: tried[-1])
        X, labels, train = clouds
        fitted = fit_stream("linear-svm", blocks_of(X), labels, train)
        assert any("is the greatest that was tried" in note for note in fitted.notes)

    def test_counts_classes_alike_where_they_weigh_alike(self, clouds):
        X, labels, train = clouds
        few = train[(labels[train] != 1) | (train % 6 == 0)]
        fitted = fit_stream("ridge", blocks_of(X), labels, few, class_weight="balanced")
        assert fitted.tuning["scoring"] == "balanced accuracy"
        held_out = hold_out(labels[few], few, seed=0)
        shares = fitted.tuning["means"] * np.ones(1)
        counts = np.bincount(labels[few][held_out])
        # Each is the mean of three shares, each of whole rows of its class.
        steps = shares * 3 * np.lcm.reduce(counts)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
        plain = fit_stream("ridge", blocks_of(X), labels, few)
        assert plain.tuning["scoring"] == "accuracy"
        assert plain.tuning["means"] != fitted.tuning["means"]

    def test_can_be_left_out(self, clouds):
        X, labels, train = clouds
        fixed = fit_stream("logreg", blocks_of(X), labels, train, C=0.5)
        assert (fixed.tuning, fixed.used["C"]) == (None, 0.5)
        default = fit_stream("linear-svm", blocks_of(X), labels, train, tune=False)
        assert (default.tuning, default.used["C"]) == (None, 1e-3)


@pytest.mark.parametrize(
    ("clf", "module", "limit"), [("logreg", descents, "MAX_PASSES"), ("mlp", network, "MAX_EPOCHS")]
)
def test_a_fit_that_was_cut_short_says_so(monkeypatch, clouds, clf, module, limit):
    X, labels, train = clouds
    monkeypatch.setattr(module, limit, 2)
    fitted = fit_stream(clf, blocks_of(X), labels, train)
    assert "stopped after 2" in fitted.notes[-1]
    assert "an unfinished fit" in fitted.notes[-1]
    monkeypatch.undo()
    assert not fit_stream(clf, blocks_of(X), labels, train).notes


def test_views_are_rows_in_training_and_an_average_in_scoring(clouds):
    X, labels, train = clouds
    rng = np.random.default_rng(3)
    mirrored = X + rng.normal(size=X.shape, scale=0.1).astype(np.float32)
    rows = np.hstack([X, mirrored])
    fitted = fit_stream("logreg", blocks_of(rows), labels, train, C=0.02, n_views=2)
    unfolded = np.stack([X, mirrored], axis=1).reshape(-1, X.shape[1])
    train_2 = np.sort(np.concatenate([2 * train, 2 * train + 1]))
    expected = fit_stream("logreg", blocks_of(unfolded), np.repeat(labels, 2), train_2, C=0.02)
    np.testing.assert_allclose(
        fitted.classifier[-1].coef_, expected.classifier[-1].coef_, atol=1e-4
    )
    test = others(train, len(X))
    score = fitted.classifier.predict_proba
    scores = score_stream(score, blocks_of(rows), test, n_classes=3, n_views=2)
    np.testing.assert_allclose(scores, score((X[test] + mirrored[test]) / 2), atol=1e-6)


@pytest.mark.parametrize("clf", STREAMED)
def test_every_streamed_classifier_takes_views(clouds, clf):
    X, labels, train = clouds
    fitted = fit_stream(clf, blocks_of(np.hstack([X, X])), labels, train, n_views=2)
    assert fitted.classifier.n_features_in_ == X.shape[1]
    assert accuracy(fitted, X, labels) > 0.85


def test_defaults_count_every_view():
    table = make_table(n_classes=2, n_per_class=100)
    rows = np.hstack([table.features, table.features])
    train = np.arange(200)
    fitted = fit_stream("ridge", blocks_of(rows), table.labels, train, tune=False, n_views=2)
    assert fitted.used["alpha"] == 40


def test_scores_of_no_rows_have_the_shape_of_scores(clouds):
    none = np.array([], np.intp)
    assert score_stream(None, blocks_of(clouds[0]), none, n_classes=3).shape == (0, 3)


def test_network_pools_hold_every_row_once(monkeypatch, clouds):
    X, labels, train = clouds
    monkeypatch.setattr(network, "POOL_BYTES", 50 * X.shape[1] * 4)
    seen, learn = [], MLPClassifier.partial_fit

    def watch(self, X, y, classes):
        seen.append(X.copy())
        return learn(self, X, y, classes=classes)

    monkeypatch.setattr(MLPClassifier, "partial_fit", watch)
    monkeypatch.setattr(network, "MAX_EPOCHS", 1)
    fitted = fit_stream("mlp", blocks_of(X), labels, train)
    one_epoch = np.concatenate(seen[: len(seen) // 2])
    assert max(len(pool) for pool in seen) <= 50
    assert min(len(pool) for pool in seen) >= 40
    held_out = hold_out(labels[train], train, seed=0)
    expected = fitted.classifier[:-1].transform(X[train[~held_out]])
    np.testing.assert_allclose(
        one_epoch[np.lexsort(one_epoch.T)], expected[np.lexsort(expected.T)], atol=1e-5
    )


def test_a_network_reads_the_blocks_in_another_order_every_epoch(monkeypatch, clouds):
    X, labels, train = clouds
    monkeypatch.setattr(network, "MAX_EPOCHS", 2)
    orders, blocks = [], blocks_of(X)

    def watched(order=None):
        orders.append(order)
        return blocks(order)

    fit_stream("mlp", watched, labels, train)
    assert orders[0] is None  # the scaler's pass
    n_blocks = -(-len(X) // 16)
    for order in orders[1:]:
        assert sorted(order) == list(range(n_blocks))
    assert len({tuple(order) for order in orders[1:]}) == 3


def test_an_epoch_makes_the_average_of_what_its_pools_made(monkeypatch, clouds):
    X, labels, train = clouds
    monkeypatch.setattr(network, "POOL_BYTES", 100 * X.shape[1] * 4)
    monkeypatch.setattr(network, "MAX_EPOCHS", 1)
    made, learn = [], MLPClassifier.partial_fit

    def watch(self, X, y, classes):
        learn(self, X, y, classes=classes)
        made.append(self.coefs_[0].copy())

    monkeypatch.setattr(MLPClassifier, "partial_fit", watch)
    fitted = fit_stream("mlp", blocks_of(X), labels, train)
    first_epoch = made[: len(made) // 2]
    assert len(first_epoch) == 4
    np.testing.assert_allclose(
        fitted.classifier[-1].coefs_[0], np.mean(first_epoch, axis=0), atol=1e-6
    )


class TestLossCurve:
    def test_says_what_every_epoch_made_and_which_one_stays(self, monkeypatch, clouds):
        X, labels, train = clouds
        fitted = fit_stream("mlp", blocks_of(X), labels, train)
        curve = fitted.loss_curve
        best = curve["best_epoch"]
        accuracies = curve["validation_accuracy"]
        assert len(curve["loss"]) == len(accuracies) == best + network.PATIENCE
        assert best == fitted.used["n_epochs"] == np.argmax(accuracies) + 1
        assert curve["loss"][-1] < curve["loss"][0]
        held_out = train[hold_out(labels[train], train, seed=0)]
        answers = fitted.classifier.predict(X[held_out])
        assert accuracies[best - 1] == pytest.approx((answers == labels[held_out]).mean())
        monkeypatch.setattr(network, "MAX_EPOCHS", best)
        until_then = fit_stream("mlp", blocks_of(X), labels, train)
        assert until_then.loss_curve["loss"] == curve["loss"][:best]
        np.testing.assert_array_equal(
            until_then.classifier[-1].coefs_[0], fitted.classifier[-1].coefs_[0]
        )

    def test_is_the_mean_loss_over_rows_not_over_pools(self, monkeypatch, clouds):
        X, labels, train = clouds
        monkeypatch.setattr(network, "POOL_BYTES", 70 * X.shape[1] * 4)
        monkeypatch.setattr(network, "MAX_EPOCHS", 1)
        losses, sizes, learn = [], [], MLPClassifier.partial_fit

        def watch(self, X, y, classes):
            learn(self, X, y, classes=classes)
            losses.append(self.loss_)
            sizes.append(len(X))

        monkeypatch.setattr(MLPClassifier, "partial_fit", watch)
        fitted = fit_stream("mlp", blocks_of(X), labels, train)
        first = slice(len(losses) // 2)
        assert len(set(sizes[first])) > 1
        expected = np.average(losses[first], weights=sizes[first])
        assert fitted.loss_curve["loss"] == pytest.approx([expected])

    def test_has_no_held_out_accuracy_where_nothing_is_held_out(self):
        table = make_table(n_classes=2, n_per_class=3)
        fitted = fit_stream("mlp", blocks_of(table.features), table.labels, np.arange(6))
        assert any("Too few" in note for note in fitted.notes)
        assert fitted.loss_curve["validation_accuracy"] is None
        assert fitted.loss_curve["best_epoch"] >= 1

    def test_is_none_for_what_has_no_epochs(self, clouds):
        X, labels, train = clouds
        assert fit_stream("logreg", blocks_of(X), labels, train, C=0.1).loss_curve is None


def test_wide_rows_do_without_the_matrix_of_their_moments(monkeypatch, clouds):
    X, labels, train = clouds
    fits = [fit_stream("logreg", blocks_of(X), labels, train, C=0.02)]
    monkeypatch.setattr("pipeline.streaming.curvature.WIDEST", 4)
    monkeypatch.setattr(np.linalg, "eigh", None)
    fits.append(fit_stream("logreg", blocks_of(X), labels, train, C=0.02))
    np.testing.assert_allclose(*(one.classifier[-1].coef_ for one in fits), atol=0.02)


def test_a_descent_shortens_steps_that_overshoot_and_ends_at_the_minimum():
    target, scale = np.array([[1.0], [-2.0]]), np.array([[1.0], [100.0]])
    descent = Descent(np.zeros((2, 1)), precondition=lambda g: g.copy(), tolerance=1e-9)
    for _ in range(100):
        if descent.finished:
            break
        off = descent.point - target
        descent.tell(1 + float((scale * off**2).sum()) / 2, scale * off)
    assert descent.converged
    np.testing.assert_allclose(descent.best, target, atol=1e-3)


class TestRefusals:
    @pytest.mark.parametrize("clf", ["svm", "knn"])
    def test_a_classifier_that_needs_all_rows(self, clf):
        with pytest.raises(ConfigError, match=r"logreg, linear-svm, ridge, mlp can. Got: --clf"):
            fit_stream(clf, blocks_of(np.zeros((4, 2))), np.zeros(4, int), np.arange(4))

    @pytest.mark.parametrize(
        ("clf", "setting"),
        [("mlp", {"C": 1.0}), ("ridge", {"C": 1.0}), ("mlp", {"class_weight": "balanced"})],
    )
    def test_a_setting_that_it_does_not_have(self, clf, setting):
        with pytest.raises(ConfigError, match="Leave out --"):
            fit_stream(clf, blocks_of(np.zeros((4, 2))), np.zeros(4, int), np.arange(4), **setting)

    def test_one_class(self, clouds):
        X, labels, _ = clouds
        with pytest.raises(ClassifierError, match=r"at least 2 classes. Got: 150 images of 1"):
            fit_stream("logreg", blocks_of(X), labels, labels == 1)

    def test_a_training_row_that_is_not_finite(self, clouds):
        X, labels, train = clouds
        bad = X.copy()
        bad[train[20], 3] = np.inf
        with pytest.raises(ClassifierError, match=f"Row {train[20]} .* not finite"):
            fit_stream("logreg", blocks_of(bad), labels, train)

    def test_blocks_that_lack_training_rows(self, clouds):
        X, labels, train = clouds
        with pytest.raises(ClassifierError, match="expected all of them"):
            fit_stream("logreg", blocks_of(X[:-20]), labels, train)


def test_constant_values_are_said():
    fitted = fit_stream(
        "logreg", blocks_of(np.ones((40, 3), np.float32)), np.arange(40) % 2, np.arange(40)
    )
    assert "are the same" in fitted.notes[0]


def test_progress_counts_the_rows_of_all_passes(clouds):
    X, labels, train = clouds
    told = []
    fitted = fit_stream(
        "ridge", blocks_of(X), labels, train, on_progress=lambda *done: told.append(done)
    )
    assert told[-1] == (len(X) * fitted.used["n_passes"], 0)
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("n_bytes", "free", "expected"), [(51, 100, True), (50, 100, False), (51, None, False)]
)
def test_what_exceeds_half_of_the_free_memory_streams(n_bytes, free, expected):
    assert needs_streaming(n_bytes, free=free) is expected


def test_a_store_is_read_in_any_order(small_blocks, tmp_path):  # noqa: F811
    path = make_store(tmp_path, bad=("cat/01.jpg", "dog/11.jpg"))
    whole = read_features(path).features
    in_order = list(stream_features(path))
    assert [rows.stop - rows.start for rows, _ in in_order] == [3, 4, 3]
    np.testing.assert_array_equal(np.concatenate([values for _, values in in_order]), whole)
    shuffled = list(stream_features(path, np.array([2, 0])))
    assert [rows for rows, _ in shuffled] == [slice(7, 10), slice(0, 3)]
    for rows, values in shuffled:
        np.testing.assert_array_equal(values, whole[rows])


@pytest.fixture(scope="module")
def big_store(tmp_path_factory):
    """A store of 2.2 GB of values, which take a tenth of that on the disk."""
    folder = tmp_path_factory.mktemp("big")
    n_rows, width = 132_000, 4096
    paths = [f"{'cat' if i < n_rows // 2 else 'dog'}/{i:06}.jpg" for i in range(n_rows)]
    manifest = make_manifest({path: path for path in paths})
    recipe = make_recipe(manifest)
    store = store_path(folder, manifest.name, recipe)
    create_store(store, manifest, recipe, width=width, provenance={"versions": {}, "settings": {}})
    writer = StoreWriter(store, recipe)
    for rows in writer.pending:
        rng = np.random.default_rng(int(rows[0]))
        values = rng.integers(0, 4, (len(rows), width), np.uint8).astype(np.float32)
        values[:, :8] += 2 * manifest.labels[rows, np.newaxis]
        write_block(writer, rows, values)
    writer.finish()
    yield store
    shutil.rmtree(folder)


def fit_in_little_memory(clf, *, extra, source):
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "tests.limited_fit", clf, str(extra), str(source)]
    env = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


@linux
def test_rows_that_memory_does_not_hold_are_fitted():
    told = fit_in_little_memory("ridge", extra=96 << 20, source="made:700:256")
    assert told["whole"] == "does not fit"
    assert told["accuracy"] > 0.95


@linux
@pytest.mark.slow
@pytest.mark.parametrize("clf", ["logreg", "mlp"])
def test_a_store_four_times_the_memory_limit_is_fitted(big_store, clf):
    told = fit_in_little_memory(clf, extra=280 << 20, source=big_store)
    assert told["n_bytes"] > 4 * told["limit"]
    assert told["whole"] == "does not fit"
    assert told["accuracy"] > 0.95

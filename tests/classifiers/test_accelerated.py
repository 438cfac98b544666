import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.svm import SVC

from pipeline.classifiers import accelerated, class_scores, fit_classifier, make_classifier
from tests.feature_tables import make_table

needs_fast = pytest.mark.skipif(
    not accelerated.IS_ACCELERATED, reason="scikit-learn-intelex is not for this processor"
)


def plainly(clf, table, monkeypatch, **options):
    with monkeypatch.context() as patch:
        patch.setattr(accelerated, "_FAST", {})
        classifier = make_classifier(clf, n_samples=len(table.labels), **options)
        return fit_classifier(classifier, table.features, table.labels)[0]


@needs_fast
@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_fast_one_answers_like_scikit_learns(n_classes, monkeypatch):
    clf = "svm"
    table = make_table(n_classes=n_classes, n_per_class=150, n_features=64, spread=2.5)
    assert accelerated.is_accelerated(
        accelerated.accelerate(make_classifier(clf, n_samples=len(table.labels)))[-1]
    )
    fast, _ = fit_classifier(
        make_classifier(clf, n_samples=len(table.labels)), table.features, table.labels
    )
    plain = plainly(clf, table, monkeypatch)
    fresh = make_table(n_classes=n_classes, n_per_class=150, n_features=64, spread=2.5)
    X = fresh.features + np.random.default_rng(5).normal(size=fresh.features.shape)
    X = X.astype(np.float32)
    answers = [class_scores(model, X, n_classes=n_classes) for model in (fast, plain)]
    agree = np.mean(answers[0].argmax(axis=1) == answers[1].argmax(axis=1))
    assert agree > 0.995
    if n_classes == 2:
        np.testing.assert_allclose(answers[0], answers[1], atol=2e-2)


@needs_fast
def test_what_is_kept_is_scikit_learns_own():
    table = make_table(n_per_class=50)
    model, _ = fit_classifier(make_classifier("svm", n_samples=150), table.features, table.labels)
    assert type(model[-1]) is SVC
    content = pickle.dumps(model)
    assert b"sklearnex" not in content
    assert b"daal" not in content
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict(table.features), model.predict(table.features))


@pytest.mark.parametrize("clf", ["logreg", "svm"])
def test_class_weights_are_fitted_by_scikit_learn(clf):
    classifier = make_classifier(clf, n_samples=60, class_weight="balanced")
    assert accelerated.accelerate(classifier) is classifier


def test_a_scikit_learn_that_keeps_its_numbers_otherwise_fits_by_itself(monkeypatch):
    def fail(*_):
        raise AttributeError("_n_support")

    monkeypatch.setattr(accelerated, "_plain_svc", fail)
    table = make_table(n_per_class=50)
    model, _ = fit_classifier(make_classifier("svm", n_samples=150), table.features, table.labels)
    assert type(model[-1]) is SVC
    assert model.score(table.features, table.labels) > 0.95


def test_without_it_everything_works():
    code = (
        "import sys; sys.modules['sklearnex.svm'] = None\n"
        "from pipeline.classifiers import accelerated, fit_classifier, make_classifier\n"
        "assert not accelerated.IS_ACCELERATED\n"
        "from tests.feature_tables import make_table\n"
        "table = make_table()\n"
        "for clf in ('logreg', 'svm'):\n"
        "    c = make_classifier(clf, n_samples=60)\n"
        "    model, _ = fit_classifier(c, table.features, table.labels)\n"
        "    print(model.score(table.features, table.labels) > 0.95)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_nothing_is_patched():
    code = (
        "import pipeline.classifiers, sklearn.svm, sklearn.linear_model\n"
        "print(sklearn.svm.SVC.__module__, sklearn.linear_model.LogisticRegression.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sklearn.svm._classes", "sklearn.linear_model._logistic"]


@needs_fast
def test_it_can_be_loaded_after_openvino():
    code = (
        "import pipeline.backbones.openvino_engine\n"
        "from pipeline.classifiers import accelerated\n"
        "print(accelerated.IS_ACCELERATED)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]

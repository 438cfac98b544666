import shutil

import numpy as np
import pytest

from pipeline.artifacts import load_model
from pipeline.classifiers import fold_scores, score_kind
from pipeline.config import FitConfig
from pipeline.doubting import out_of_fold
from pipeline.doubting.out_of_fold import score_left_out
from pipeline.doubting.sets import PredictionSets, find_prediction_sets, measure_strangeness
from pipeline.doubting.training_rows import find_training_rows
from pipeline.errors import ClassifierError, ConfigError
from pipeline.stages.fit import fit
from tests.doubting.conftest import CLASSES, blur, draw_like_training

P = np.array([[0.6, 0.3, 0.1], [0.35, 0.34, 0.31], [0.98, 0.02, 0.0]])


def test_classes_are_chosen_by_their_probability_and_the_best_one_always():
    sets = PredictionSets(coverage=0.9, kind="probability", threshold=0.66)
    expected = [[True, False, False], [True, True, False], [True, False, False]]
    assert sets.choose(P).tolist() == expected
    strict = PredictionSets(coverage=0.5, kind="probability", threshold=0.01)
    assert strict.choose(P).tolist() == [[True, False, False]] * 3


def test_decision_scores_are_compared_with_the_best():
    scores = np.array([[3.0, 2.5, -1.0], [-7.0, -9.0, -np.inf]])
    sets = PredictionSets(coverage=0.9, kind="decision", threshold=0.6)
    assert sets.choose(scores).tolist() == [[True, True, False], [True, False, False]]
    assert measure_strangeness(scores, kind="decision")[0] == pytest.approx([0, 0.5, 4])


def test_of_equals_the_first_is_chosen_as_the_answer_is():
    sets = PredictionSets(coverage=0.5, kind="probability", threshold=0.0)
    assert sets.choose(np.full((1, 3), 1 / 3)).tolist() == [[True, False, False]]


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.97])
def test_the_right_class_is_in_the_set_as_often_as_asked(make_fit, coverage):
    store, model = make_fit(n_per_class=300, tweak=blur)
    sets = find_prediction_sets(store, model, coverage=coverage)
    values, labels = draw_like_training(3000)
    scores = fold_scores(model.classifier, blur(values), n_classes=2)
    accuracy = np.mean(scores.argmax(axis=1) == labels)
    assert 0.7 < accuracy < 0.9
    chosen = sets.choose(scores)
    covered = chosen[np.arange(len(labels)), labels].mean()
    # 480 training images say where a share of 0.9 lies to within 0.014 (one standard error).
    assert covered == pytest.approx(max(coverage, accuracy), abs=0.045)
    assert chosen.any(axis=1).all()
    if coverage > accuracy + 0.05:
        assert chosen.sum(axis=1).mean() > 1.05


def test_no_row_is_scored_by_a_classifier_that_saw_it(make_fit):
    # One value of each image says its label, and only where it trained that helps.
    def memorise(values):
        return np.random.default_rng(0).normal(size=(len(values), 6)).astype(np.float32)

    store, model = make_fit(tweak=memorise, clf="knn")
    training = find_training_rows(store, model, purpose="--coverage")
    found = score_left_out(training, model)
    right = np.mean(found.scores.argmax(axis=1) == found.labels)
    assert right == pytest.approx(0.5, abs=0.15)
    assert len(found.labels) == len(training.rows)


def test_copies_and_groups_are_left_out_together(make_fit, monkeypatch):
    contents = {f"{n}/{g}_{i}.jpg": f"{n}{g}{i}" for n in CLASSES for g in range(9) for i in "123"}
    store, model = make_fit(contents, group_by=r"/(\d)_", test_size=0.3)
    folds = []
    draw = out_of_fold.draw_folds

    def watched(*arguments, **options):
        folds.append(draw(*arguments, **options))
        return folds[-1]

    monkeypatch.setattr(out_of_fold, "draw_folds", watched)
    find_prediction_sets(store, model, coverage=0.5)
    training = find_training_rows(store, model, purpose="--coverage")
    units = training.units[training.rows]
    assert all(len(np.unique(folds[0][units == unit])) == 1 for unit in np.unique(units))


@pytest.mark.parametrize("clf", ["logreg", "linear-svm", "svm", "ridge", "knn", "mlp"])
def test_every_classifier_gives_sets(make_fit, clf):
    store, model = make_fit(tweak=blur, clf=clf)
    sets = find_prediction_sets(store, model, coverage=0.9)
    assert sets.kind == score_kind(model.classifier)
    assert 0 < sets.threshold < 1
    assert find_prediction_sets(None, model, coverage=0.9) == sets


def test_a_fit_without_probabilities_gives_sets_of_decision_scores(make_fit):
    # Of cows one image trains, so that no probabilities can be learned.
    contents = {
        f"{name}/{i:02}.jpg": f"{name}{i}"
        for name, n in (("cat", 40), ("cow", 2), ("dog", 40))
        for i in range(n)
    }
    store, model = make_fit(contents, clf="svm", C=1.0, tweak=blur)
    assert score_kind(model.classifier) == "decision"
    sets = find_prediction_sets(store, model, coverage=0.95)
    assert sets.kind == "decision"
    assert 0 < sets.threshold < np.inf


def test_a_streamed_fit_is_left_out_block_by_block(make_fit):
    store, model = make_fit(tweak=blur, stream=True, C=0.1)
    streamed = find_prediction_sets(store, model, coverage=0.9)
    whole = load_model(fit(store, FitConfig(tune=False, C=0.1)).folder)
    in_memory = find_prediction_sets(store, whole, coverage=0.9)
    assert streamed.threshold == pytest.approx(in_memory.threshold, abs=0.02)


def test_what_was_learned_goes_with_the_fit(make_fit, tmp_path):
    store, model = make_fit(tweak=blur)
    expected = find_prediction_sets(store, model, coverage=0.9)
    elsewhere = tmp_path / "product"
    shutil.copytree(model.folder, elsewhere)
    assert find_prediction_sets(None, load_model(elsewhere), coverage=0.9) == expected
    wider = find_prediction_sets(None, load_model(elsewhere), coverage=0.95)
    assert wider.threshold > expected.threshold


def test_too_few_images_make_sets_of_all_classes(make_fit):
    sets = find_prediction_sets(*make_fit(n_per_class=8), coverage=0.99)
    assert "too few for a coverage of 0.99: every set holds all classes" in sets.notes[0]
    assert sets.choose(P[:, :2]).all()


def test_one_image_a_class_cannot_be_left_out(make_fit):
    contents = {f"{name}/{i}.jpg": f"{name}{i}" for name in CLASSES for i in "12"}
    with pytest.raises(
        ClassifierError, match=r"--coverage leaves out each fifth .* these 2 are too few"
    ):
        find_prediction_sets(*make_fit(contents, test_size=0.5))


@pytest.mark.parametrize("coverage", [0, 1, 1.5])
def test_a_coverage_that_is_no_share_is_refused(make_fit, coverage):
    with pytest.raises(ConfigError, match="--coverage must lie between 0 and 1"):
        find_prediction_sets(*make_fit(n_per_class=8), coverage=coverage)


def test_another_store_is_refused(make_fit):
    _, model = make_fit()
    other, _ = make_fit(tweak=blur)
    with pytest.raises(ClassifierError, match=r"other transfer values than .* fitted on"):
        find_prediction_sets(other, model)

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV

from pipeline import artifacts, classifiers
from pipeline.classifiers import making, tuning
from pipeline.config import CLASSIFIERS, FitConfig
from pipeline.errors import ClassifierError, ConfigError, FeatureMismatchError
from pipeline.fitting import measuring
from pipeline.predictions import parse_predictions
from pipeline.records import Report, Split
from pipeline.stages.fit import fit, fit_table
from tests.feature_tables import add_mirror, hashes, make_table, serve_table


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store whose table the test can choose; what a real one does is the cache's affair."""
    path = tmp_path / "cache" / "clouds" / "fake-abababab.zarr"
    serve_table(monkeypatch, make_table())
    return path


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_report_adds_up(clf):
    table = make_table(spread=0.8, n_found=63, skipped={"not an image": 3}, oddities={"grey": 2})
    report = fit_table(table, FitConfig(clf=clf)).report
    assert report.oddities == {"grey": 2}
    matrix = np.array(report.confusion_matrix)
    assert matrix.sum() == report.n_test
    assert np.trace(matrix) / report.n_test == report.accuracy
    low, high = report.intervals["accuracy"]
    assert low < report.accuracy <= high
    assert report.n_found == report.n_train + report.n_test + sum(report.skipped.values())
    assert sum(scores["n_test"] for scores in report.per_class) == report.n_test
    assert sum(scores["n_train"] for scores in report.per_class) == report.n_train
    wrong = report.n_test - np.trace(matrix)
    assert sum(pair["count"] for pair in report.confused_pairs) == wrong
    assert len(report.mistakes) == min(wrong, measuring.N_MISTAKES)
    assert report.accuracy > 0.6 > 0.4 > report.baselines[0]["accuracy"]


@pytest.mark.parametrize("n_classes", [2, 10, 1000])
def test_fault_52_matrix_adds_up_to_the_test_rows(n_classes):
    table = make_table(n_classes=n_classes, n_per_class=2, n_features=16)
    report = fit_table(table, FitConfig(clf="knn")).report
    matrix = np.array(report.confusion_matrix)
    assert matrix.shape == (n_classes, n_classes)
    assert matrix.sum() == report.n_test == n_classes
    assert report.accuracy == np.trace(matrix) / n_classes


def test_report_goes_through_json_and_back():
    report = fit_table(make_table(spread=1.5), FitConfig(cv=3)).report
    assert Report.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report


def test_mistakes_name_the_rows_that_were_wrong():
    table = make_table(spread=1.5)
    fitted = fit_table(table, FitConfig())
    frame = parse_predictions(fitted.predictions).set_index("path")
    assert fitted.report.mistakes
    for mistake in fitted.report.mistakes:
        row = frame.loc[mistake["path"]]
        assert (row["label"], row["prediction"]) == (mistake["true"], mistake["predicted"])
        assert mistake["true"] != mistake["predicted"]
        score = row[f"score:{mistake['predicted']}"]
        assert score == pytest.approx(mistake["score"], rel=1e-5)
    scores = [mistake["score"] for mistake in fitted.report.mistakes]
    assert scores == sorted(scores, reverse=True)


def test_predictions_are_the_test_rows_and_their_accuracy():
    fitted = fit_table(make_table(spread=1.0), FitConfig())
    frame = parse_predictions(fitted.predictions)
    assert len(frame) == fitted.report.n_test
    assert (frame["label"] == frame["prediction"]).mean() == fitted.report.accuracy
    assert set(frame["split"]) == {"none"}


def test_fault_48_numeric_looking_class_names_stay_names():
    fitted = fit_table(make_table(class_names=("0", "007", "1e3")), FitConfig())
    frame = parse_predictions(fitted.predictions)
    assert set(frame["label"]) == {"0", "007", "1e3"}
    assert fitted.report.class_names == ("0", "007", "1e3")


@pytest.mark.parametrize("clf", ["logreg", "linear-svm"])
def test_class_without_training_rows_counts_as_wrong(clf):
    table = make_table(n_per_class=10)
    split = np.where(np.arange(30) % 5 == 0, Split.TEST, Split.TRAIN)
    split[table.labels == 1] = Split.TEST
    report = fit_table(replace(table, split=split.astype(np.uint8)), FitConfig(clf=clf)).report
    matrix = np.array(report.confusion_matrix)
    assert matrix[1].sum() == 10
    assert matrix[:, 1].sum() == 0
    assert report.per_class[1]["recall"] == 0
    assert report.per_class[1]["precision"] is None
    assert report.accuracy <= 4 / 14
    assert any("cannot be predicted" in note for note in report.notes)


def test_fault_46_class_without_test_rows_is_unknown_not_zero():
    table = make_table(n_per_class=10)
    split = np.where(np.arange(30) % 5 == 0, Split.TEST, Split.TRAIN)
    split[table.labels == 1] = Split.TRAIN
    report = fit_table(replace(table, split=split.astype(np.uint8)), FitConfig()).report
    assert np.array(report.confusion_matrix).shape == (3, 3)
    assert report.per_class[1] == {
        "name": "class 1",
        "precision": None,
        "precision_ci": None,
        "recall": None,
        "recall_ci": None,
        "f1": None,
        "roc_auc": None,
        "average_precision": None,
        "n_test": 0,
        "n_train": 10,
    }
    assert report.balanced_accuracy == report.macro_f1 == report.accuracy == 1
    assert any("no test image" in note for note in report.notes)


def test_fault_50_copies_across_a_given_split_are_counted_in_the_notes():
    table = make_table(n_classes=2, n_per_class=10)
    split = np.where(np.arange(20) % 5 == 0, Split.TEST, Split.TRAIN).astype(np.uint8)
    content = np.arange(20)
    content[5] = content[6]
    report = fit_table(replace(table, split=split, sha256=hashes(content)), FitConfig()).report
    assert "1 of the 4 test images have an exact copy" in report.notes[0]


def test_fault_44_features_that_are_not_finite_are_refused():
    table = make_table()
    table.features[59, 0] = np.nan
    with pytest.raises(ClassifierError, match="Row 59 of the transfer values is not finite"):
        fit_table(table, FitConfig())


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("split", [Split.NONE, Split.TRAIN, Split.TEST])
def test_fault_47_a_label_that_is_no_class_is_refused(label, split):
    table = make_table(n_per_class=10)
    columns = np.where(np.arange(30) % 5 == 0, Split.TEST, Split.TRAIN).astype(np.uint8)
    columns[7] = split
    table.labels[7] = label
    with pytest.raises(ClassifierError, match=rf"expected 0 to 2, got {label} in 1 rows"):
        fit_table(replace(table, split=columns), FitConfig())


@pytest.mark.parametrize("clf", ["logreg", "linear-svm", "mlp"])
@pytest.mark.parametrize("cv", [None, 2])
def test_fault_49_no_convergence_is_said_in_the_report(clf, cv, monkeypatch):
    monkeypatch.setattr(making, "MAX_ITER", 1)
    C = None if clf == "mlp" else 100.0
    report = fit_table(make_table(spread=2.0), FitConfig(clf=clf, C=C, cv=cv)).report
    (note,) = report.notes
    assert "stopped after 1 iterations without having converged" in note


def test_cross_validation_is_reported_beside_the_test_accuracy():
    report = fit_table(make_table(), FitConfig(cv=4)).report
    assert report.cv["n_folds"] == len(report.cv["scores"]) == 4
    assert report.cv["mean"] == pytest.approx(np.mean(report.cv["scores"]))
    assert report.cv["std"] == pytest.approx(np.std(report.cv["scores"], ddof=1))


def test_what_the_classifier_was_fitted_with_is_named():
    report = fit_table(make_table(), FitConfig(tune=False)).report
    assert report.settings["used"] == {"C": 0.62}
    assert report.tuning is None
    report = fit_table(make_table(), FitConfig(C=0.25)).report
    assert report.settings["used"] == {"C": 0.25}
    report = fit_table(make_table(), FitConfig(clf="knn")).report
    assert report.settings["used"] == {"n_neighbors": report.tuning["best"]}


def scaler_of(classifier):
    if isinstance(classifier, CalibratedClassifierCV):
        classifier = classifier.calibrated_classifiers_[0].estimator
    return classifier[0]


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_both_views_of_the_training_images_and_of_no_others_are_fitted_on(clf):
    table = add_mirror(make_table(spread=0.8))
    fitted = fit_table(table, FitConfig(clf=clf))
    tested = set(parse_predictions(fitted.predictions)["path"])
    trains = np.array([path not in tested for path in table.paths])
    scaler = scaler_of(fitted.classifier)
    assert (trains.sum(), len(tested)) == (48, 12)
    assert scaler.n_samples_seen_ == 96
    both = table.features[trains].reshape(96, 8)
    np.testing.assert_allclose(scaler.mean_, both.mean(axis=0), atol=1e-6)


def test_the_classifier_is_asked_about_the_average_of_the_views():
    table = make_table(spread=1.5)
    mirrored = add_mirror(table, shift=5.0)
    fitted = fit_table(mirrored, FitConfig())
    X = table.features + np.float32(2.5)
    scores = classifiers.class_scores(fitted.classifier, X, n_classes=3)
    expected = dict(zip(table.paths, scores, strict=True))
    frame = parse_predictions(fitted.predictions)
    found = frame[[f"score:{name}" for name in table.class_names]].to_numpy()
    np.testing.assert_allclose(found, [expected[path] for path in frame["path"]], rtol=1e-3)


def test_a_report_on_two_views_counts_images():
    table = make_table(spread=0.8, n_found=63, skipped={"not an image": 3})
    one = fit_table(table, FitConfig(cv=4, C=1)).report
    two = fit_table(add_mirror(table), FitConfig(cv=4, C=1)).report
    assert (two.n_train, two.n_test, two.n_found) == (48, 12, 63)
    assert sum(scores["n_train"] for scores in two.per_class) == 48
    assert np.array(two.confusion_matrix).sum() == 12
    assert (two.settings, two.baselines[0], two.split) == (
        one.settings,
        one.baselines[0],
        one.split,
    )
    assert two.recipe["views"] == 2
    assert all(
        accuracy * 12 == pytest.approx(round(accuracy * 12)) for accuracy in two.cv["scores"]
    )


@pytest.mark.parametrize("clf", ["knn", "logreg"])
def test_the_views_of_an_image_are_never_on_both_sides(clf, monkeypatch):
    monkeypatch.setitem(tuning.GRIDS, "knn", (1,))
    noise = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    table = add_mirror(make_table(n_per_class=100, features=noise))
    report = fit_table(table, FitConfig(clf=clf, cv=5, C=None if clf == "knn" else 1e3)).report
    # What has seen the other view of an image knows it; what has not guesses among three.
    assert max(report.accuracy, report.cv["mean"]) < 0.5


def test_fault_44_the_second_view_must_be_finite_too():
    table = add_mirror(make_table())
    table.features[59, 8] = np.inf
    with pytest.raises(ClassifierError, match="Row 59 of the transfer values is not finite"):
        fit_table(table, FitConfig())


def test_rows_that_are_no_two_views_are_refused():
    table = add_mirror(make_table())
    with pytest.raises(FeatureMismatchError, match="15 transfer values cannot hold 2 views"):
        fit_table(replace(table, features=table.features[:, :15]), FitConfig())


def test_settings_that_the_classifier_lacks_are_refused():
    with pytest.raises(ConfigError, match="--clf knn --C 1"):
        fit_table(make_table(), FitConfig(clf="knn", C=1.0))


def test_what_is_kept_is_what_was_reported(store):
    made = fit(store, FitConfig())
    assert not made.reused
    assert made.report.store == store.name
    assert artifacts.read_report(made.folder) == made.report
    assert json.loads(json.dumps(made.to_dict()))["reused"] is False


def test_other_settings_or_other_values_are_another_fit(store, monkeypatch):
    folders = {fit(store, FitConfig()).folder, fit(store, FitConfig(seed=1)).folder}
    serve_table(monkeypatch, make_table(content_sha256="ef" * 32))
    assert len({*folders, fit(store, FitConfig()).folder}) == 3


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_read_only_cache_still_gives_a_report(store, monkeypatch, code):
    def refuse(*args, **kwargs):
        raise OSError(code, "cannot write")

    monkeypatch.setattr(artifacts, "save_fit", refuse)
    result = fit(store, FitConfig())
    assert result.folder is None
    assert result.report.accuracy > 0.9
    assert "was not kept" in result.report.notes[-1]
    assert result.to_dict()["folder"] is None


def test_full_disk_is_an_error_that_names_the_folder(store, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "save_fit", refuse)
    with pytest.raises(ClassifierError, match=r"logreg-.*No space left"):
        fit(store, FitConfig())

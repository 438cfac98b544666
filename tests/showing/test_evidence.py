import numpy as np
import pytest

from pipeline.artifacts import mark_gates, read_report
from pipeline.cache import read_features
from pipeline.errors import ArtifactTamperedError, CacheError, ClassifierNotFoundError
from pipeline.showing import evidence as module
from pipeline.showing.evidence import find_samples, read_evidence, read_values


def test_the_rows_are_those_of_the_report(fitted):
    evidence = read_evidence(fitted)
    report = read_report(fitted)
    assert len(evidence.rows) == report.n_test
    n_classes = len(report.class_names)
    matrix = np.zeros((n_classes, n_classes), int)
    np.add.at(matrix, (evidence.rows.y_true, evidence.rows.y_pred), 1)
    assert matrix.tolist() == [list(row) for row in report.confusion_matrix]
    assert evidence.is_correct.mean() == report.accuracy
    assert evidence.rows.scores.shape == (report.n_test, n_classes)
    np.testing.assert_array_equal(evidence.rows.scores.argmax(axis=1), evidence.rows.y_pred)


def test_the_store_is_read_beside_the_fit(fitted):
    evidence = read_evidence(fitted)
    assert evidence.problem == ""
    assert evidence.samples.n_found == 57
    assert evidence.store.exists()


def test_without_its_store_a_fit_still_shows_its_answers(fitted):
    store = read_evidence(fitted).store
    store.rename(store.with_name("elsewhere.zarr"))
    evidence = read_evidence(fitted)
    assert evidence.samples is None
    assert "The images and the map are missing" in evidence.problem
    assert len(evidence.rows)


def test_a_store_that_was_made_anew_is_not_taken_for_the_old_one(fitted, monkeypatch):
    evidence = read_evidence(fitted)
    monkeypatch.setitem(evidence.info, "content_sha256", "0" * 64)
    monkeypatch.setattr(module, "read_info", lambda folder: evidence.info)
    assert "made anew after this fit" in read_evidence(fitted).problem


def test_the_gates_are_those_that_were_set_last(fitted):
    gate = {"name": "accuracy", "least": 0.999, "found": 0.9, "met": False}
    mark_gates(fitted, [gate])
    assert read_evidence(fitted).report.gates == (gate,)


def test_no_fit(tmp_path):
    with pytest.raises(ClassifierNotFoundError, match="There is no fit"):
        read_evidence(tmp_path)


def test_predictions_of_other_classes_are_refused(fitted, monkeypatch):
    csv = b"path,label,prediction,split\r\n"
    monkeypatch.setattr(module, "read_vouched", lambda folder, name, info: csv)
    with pytest.raises(ArtifactTamperedError, match="not of the classes"):
        read_evidence(fitted)


def test_values_come_in_the_order_asked_for(fitted):
    evidence = read_evidence(fitted)
    table = read_features(evidence.store)
    rows = np.array([40, 3, 3, 17, 0])
    values = read_values(evidence.store, evidence.samples, rows)
    np.testing.assert_array_equal(values, table.features[rows])


def test_paths_that_a_store_lacks_have_no_row(fitted):
    samples = read_evidence(fitted).samples
    assert find_samples(samples, [samples.paths[5], "nowhere.jpg"]).tolist() == [5, -1]


def test_rows_that_a_store_lacks_have_no_values(fitted):
    evidence = read_evidence(fitted)
    with pytest.raises(CacheError, match="does not have all test images"):
        read_values(evidence.store, evidence.samples, np.array([0, -1]))

from types import SimpleNamespace

import pytest

from pipeline.config import FitConfig
from pipeline.errors import ArtifactTamperedError, ClassifierNotFoundError
from pipeline.stages import report as report_stage
from pipeline.stages.fit import fit
from pipeline.stages.report import find_fit, report
from tests.feature_tables import make_table, serve_table


@pytest.fixture
def store(tmp_path, monkeypatch):
    table = make_table()
    serve_table(monkeypatch, table)
    info = SimpleNamespace(key=table.key, content_sha256=table.content_sha256, complete=True)
    monkeypatch.setattr(report_stage, "read_info", lambda store: info)
    return tmp_path / "clouds" / "fake-abababab.zarr"


def test_report_is_the_newest_fits(store, tmp_path):
    fit(store, FitConfig())
    newest = fit(store, FitConfig(clf="knn"))
    found = report(tmp_path)
    assert (found.folder, found.report) == (newest.folder, newest.report)
    assert found.to_dict()["folder"] == str(newest.folder)
    assert found.to_dict()["clf"] == "knn"


def test_report_of_a_named_fit(store, tmp_path):
    older = fit(store, FitConfig())
    fit(store, FitConfig(clf="knn"))
    assert report(tmp_path, clf="logreg").folder == older.folder
    with pytest.raises(ClassifierNotFoundError, match="--dataset dogs"):
        report(tmp_path, dataset="dogs")


def test_report_of_a_fits_folder(store, tmp_path):
    older = fit(store, FitConfig())
    fit(store, FitConfig(clf="knn"))
    assert report(tmp_path, fit=older.folder).report == older.report
    with pytest.raises(ClassifierNotFoundError, match=r"no fit at .*nothing\. Run: fit"):
        report(tmp_path, fit=tmp_path / "nothing")


def test_damaged_report_is_named(store, tmp_path):
    folder = fit(store, FitConfig()).folder
    (folder / "metrics.json").write_bytes(b"{}")
    with pytest.raises(ArtifactTamperedError, match=r"metrics\.json"):
        report(tmp_path)


def test_find_fit_sees_only_the_same_fit(store):
    made = fit(store, FitConfig())
    found = find_fit(store, FitConfig())
    assert found is not None
    assert (found.folder, found.report) == (made.folder, made.report)
    assert find_fit(store, FitConfig(seed=1)) is None


def test_find_fit_makes_it_the_newest(store, tmp_path):
    first = fit(store, FitConfig()).folder
    second = fit(store, FitConfig(seed=1)).folder
    assert report(tmp_path).folder == second
    assert find_fit(store, FitConfig()).reused
    assert report(tmp_path).folder == first


def test_find_fit_does_not_trust_an_unfinished_store(store, monkeypatch):
    table = make_table()
    fit(store, FitConfig())
    info = SimpleNamespace(key=table.key, content_sha256=table.content_sha256, complete=False)
    monkeypatch.setattr(report_stage, "read_info", lambda store: info)
    assert find_fit(store, FitConfig()) is None


@pytest.mark.parametrize("name", ["metrics.json", "model.joblib", "predictions.csv"])
def test_find_fit_refuses_a_damaged_one(store, name):
    folder = fit(store, FitConfig()).folder
    (folder / name).write_text("{}")
    with pytest.raises(ArtifactTamperedError, match=rf"{name}.*--overwrite"):
        find_fit(store, FitConfig())
    (folder / name).unlink()
    with pytest.raises(ArtifactTamperedError, match="is gone"):
        find_fit(store, FitConfig())
    fit(store, FitConfig())
    assert find_fit(store, FitConfig()).report.n_test == 12

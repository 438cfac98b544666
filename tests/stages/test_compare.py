import json
import shutil

import numpy as np
import pytest

from pipeline import metrics
from pipeline.cache import log_run
from pipeline.config import FitConfig
from pipeline.errors import ArtifactTamperedError, ClassifierError, ClassifierNotFoundError
from pipeline.predictions import parse_predictions
from pipeline.stages.compare import compare
from tests.made_reports import save_made_fit
from tests.made_stores import WIDTH, make_store

N = 200


def right_but_for(*rows):
    right = np.ones(N, bool)
    right[list(rows)] = False
    return right


def save(cache_dir, clf, right, *, model="fake", **options):
    store = cache_dir / "pets" / f"{model}-abababab.zarr"
    return save_made_fit(store, right, config=FitConfig(clf=clf), model=model, **options)


def add_store(cache_dir, *, model, ms):
    """Make the store of a model whose images take so many milliseconds."""
    store = make_store(cache_dir, at=cache_dir / "pets" / f"{model}-abababab.zarr")
    log_run(store, {"n_computed": 1000, "ledger": {"start": 9.0, "total": 9.0 + ms}, "host": "vm"})


def test_fits_are_measured_on_the_same_rows(tmp_path):
    add_store(tmp_path, model="fake", ms=5.0)
    svm = save(tmp_path, "svm", right_but_for(0, 1), tune_seconds=8.0, fit_seconds=3.0)
    knn = save(tmp_path, "knn", right_but_for(0, 2, *range(100, 130)), predict_seconds=0.4)
    found = compare([knn, svm], tmp_path)
    assert (found.dataset, found.root, found.n_common, found.notes) == ("pets", "/photos", N, ())
    assert [fit.folder for fit in found.fits] == [svm, knn]
    best, other = found.fits
    assert (best.clf, best.model, best.dataset, best.used) == ("svm", "fake", "pets", {"C": 0.01})
    assert best.accuracy == 198 / N
    assert best.accuracy_ci == metrics.wilson_interval(198, N)
    assert other.balanced_accuracy == pytest.approx((98 / 100 + 70 / 100) / 2)
    assert other.macro_f1 == pytest.approx((2 * 98 / 230 + 2 * 70 / 172) / 2, abs=0.01)
    assert (best.tune_seconds, best.fit_seconds, best.n_features) == (8.0, 3.0, WIDTH)
    assert other.ms_per_image == pytest.approx(5.0 + 2.0)
    assert best.gap is None
    assert other.gap.difference == pytest.approx(-30 / N)
    assert (other.gap.n_only_this, other.gap.n_only_best) == (1, 31)
    assert other.gap.interval[1] < 0
    assert other.gap.p_value < 0.001
    assert found.best is found.cheapest is best


def test_what_is_written_is_what_is_compared(tmp_path):
    folders = [save(tmp_path, clf, right_but_for(row)) for clf, row in (("svm", 0), ("knn", 150))]
    for fit in compare(folders, tmp_path).fits:
        frame = parse_predictions((fit.folder / "predictions.csv").read_bytes())
        assert fit.accuracy == (frame["label"] == frame["prediction"]).mean()


def test_the_cheapest_within_the_error_bar_of_the_best(tmp_path):
    for model, ms in (("large", 40.0), ("small", 4.0), ("tiny", 1.0)):
        add_store(tmp_path, model=model, ms=ms)
    large = save(tmp_path, "svm", right_but_for(*range(10)), model="large")
    small = save(tmp_path, "svm", right_but_for(*range(5, 16)), model="small")
    tiny = save(tmp_path, "svm", right_but_for(*range(60)), model="tiny")
    found = compare([tiny, small, large], tmp_path)
    assert [fit.folder for fit in found.fits] == [large, small, tiny]
    assert (found.best.folder, found.cheapest.folder) == (large, small)


def test_only_common_rows_count(tmp_path):
    a = save(tmp_path, "svm", [0, 1, 1], labels=[0, 1, 1], paths=["x", "b", "c"])
    b = save(tmp_path, "knn", [1, 0, 0], labels=[1, 1, 0], paths=["b", "c", "y"])
    found = compare([a, b], tmp_path)
    assert found.n_common == 2
    assert [(fit.clf, fit.accuracy, fit.n_test) for fit in found.fits] == [
        ("svm", 1.0, 3),
        ("knn", 0.5, 3),
    ]
    assert "the 2 that they have in common" in found.notes[0]


def test_unless_named_the_newest_and_those_beside_it(tmp_path):
    folders = {save(tmp_path, clf, right_but_for()) for clf in ("svm", "knn", "ridge")}
    save_made_fit(
        tmp_path / "pets" / "fake-abababab.zarr", right_but_for(), config=FitConfig(seed=1)
    ).joinpath("model.json").touch()
    save(tmp_path, "svm", right_but_for())  # the newest, with seed 42
    assert {fit.folder for fit in compare([], tmp_path).fits} == folders


def test_one_fit_cannot_be_compared(tmp_path):
    svm = save(tmp_path, "svm", right_but_for())
    for named in ([svm], [svm, svm.parent / "." / svm.name]):
        with pytest.raises(ClassifierError, match="two fits to compare"):
            compare(named, tmp_path)
    with pytest.raises(ClassifierError, match="Run: fit --clf logreg"):
        compare([], tmp_path)


def test_what_is_not_a_fit_or_not_its_files_is_refused(tmp_path):
    svm, knn = (save(tmp_path, clf, right_but_for()) for clf in ("svm", "knn"))
    with pytest.raises(ClassifierNotFoundError):
        compare([svm, tmp_path / "nothing"], tmp_path)
    (knn / "predictions.csv").write_text("path,label,prediction,split\n")
    with pytest.raises(ArtifactTamperedError, match=r"predictions\.csv"):
        compare([svm, knn], tmp_path)


def test_times_of_two_machines_are_said(tmp_path):
    folders = [save(tmp_path, "svm", right_but_for(), model=model) for model in "ab"]
    for model in "ab":
        add_store(tmp_path, model=model, ms=1.0)
    assert compare(folders, tmp_path).notes == ()
    log_run(
        tmp_path / "pets" / "b-abababab.zarr",
        {"n_computed": 9, "ledger": {"start": 0, "total": 1}, "host": "gpu"},
    )
    assert "different machines" in compare(folders, tmp_path).notes[0]


def test_without_their_stores_fits_are_compared_all_the_same(tmp_path):
    folders = [save(tmp_path / "cache", clf, right_but_for()) for clf in ("svm", "knn")]
    moved = [shutil.copytree(folder, tmp_path / folder.name) for folder in folders]
    found = compare(moved, tmp_path)
    assert {fit.ms_per_image for fit in found.fits} == {None}
    assert {fit.megabytes for fit in found.fits} == {None}


def test_json(tmp_path):
    folders = [save(tmp_path, clf, right_but_for(0)) for clf in ("svm", "knn")]
    fields = json.loads(json.dumps(compare(folders, tmp_path).to_dict(), allow_nan=False))
    assert [(fit["best"], fit["cheapest"]) for fit in fields["fits"]] == [
        (True, True),
        (False, False),
    ]
    low, high = fields["fits"][1]["gap"]["interval"]
    assert low < 0 < high
    assert {fit["folder"] for fit in fields["fits"]} == set(map(str, folders))


def test_the_same_seed_gives_the_same_answer(tmp_path):
    rng = np.random.default_rng(0)
    folders = [save(tmp_path, clf, rng.random(N) < 0.8) for clf in ("svm", "knn", "mlp")]
    first, again, other = (compare(folders, tmp_path, seed=s).to_dict() for s in (1, 1, 2))
    assert first == again
    assert first != other

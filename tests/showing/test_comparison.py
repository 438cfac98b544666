from pathlib import Path

import numpy as np
import pytest

from pipeline.ranking import CommonRows
from pipeline.showing import comparison as module
from pipeline.showing.comparison import gather_comparison
from pipeline.showing.evidence import read_evidence

TRUE = [0, 0, 0, 1, 1, 1, 1]
BEST = [0, 0, 1, 1, 1, 1, 1]
OTHER = [0, 1, 0, 1, 1, 1, 1]
THIRD = [0, 0, 0, 1, 1, 0, 1]


def make_rows(paths=None):
    return CommonRows(
        y_true=np.array(TRUE),
        y_pred=np.array([BEST, OTHER, THIRD]),
        paths=tuple(paths or (f"{i}.jpg" for i in range(len(TRUE)))),
        class_names=("cat", "dog"),
        n_tested=(7, 7, 7),
    )


def make_fits(folder, **changes):
    fits = [
        {"clf": "svm", "accuracy": 6 / 7, "ms_per_image": 5.0},
        {"clf": "knn", "accuracy": 6 / 7, "ms_per_image": 6.0},
        {"clf": "ridge", "accuracy": 5 / 7, "ms_per_image": 4.0},
    ]
    common = {"model": "vgg16", "accuracy_ci": [0.5, 0.99], "folder": str(folder), **changes}
    return [{**fit, **common} for fit in fits]


@pytest.fixture(autouse=True)
def no_info(monkeypatch, request):
    """Fits of which nothing is kept, but where a real one is asked for."""
    if "fitted" not in request.fixturenames:
        monkeypatch.setattr(module, "read_info", lambda folder: {"content_sha256": ""})


@pytest.fixture
def content(tmp_path):
    fits = make_fits(tmp_path / "x.fits" / "svm-01234567")
    return gather_comparison(fits, make_rows(), dataset="pets", root="/p", notes=["said"])


def test_recalls_of_each_class_by_each_fit(content):
    cat, dog = content.classes
    assert (cat.name, cat.n_test, cat.recalls) == ("cat", 3, (2 / 3, 2 / 3, 1.0))
    assert (dog.name, dog.n_test, dog.recalls) == ("dog", 4, (1.0, 1.0, 0.75))


def test_disagreements_begin_with_what_the_best_alone_gets_wrong(content):
    assert content.n_disagreements == 3
    assert [each.path for each in content.disagreements] == ["2.jpg", "1.jpg", "5.jpg"]
    first = content.disagreements[0]
    assert (first.true, first.answers) == ("cat", ("dog", "cat", "cat"))


def test_a_store_that_is_gone_only_costs_the_pictures(content):
    assert content.pictures == {}
    assert content.notes[0] == "said"
    assert "The images and the map are missing" in content.notes[1]


def test_pictures_are_of_the_disagreements(fitted):
    evidence = read_evidence(fitted)
    paths = evidence.rows.paths[:7]
    found = gather_comparison(make_fits(fitted), make_rows(paths), dataset="photos", root="/p")
    assert set(found.pictures) == {each.path for each in found.disagreements}
    assert found.notes == ()


def test_disputed_images_that_changed_are_counted(fitted):
    evidence = read_evidence(fitted)
    paths = evidence.rows.paths[:7]
    (Path(evidence.samples.root) / paths[2]).unlink()
    found = gather_comparison(make_fits(fitted), make_rows(paths), dataset="photos", root="/p")
    assert len(found.pictures) == 2
    assert found.notes[0].startswith("1 of 3 images cannot be shown")


def test_the_front_is_what_nothing_beats_in_both(content):
    assert content.pareto is not None
    assert content.pareto.alt.endswith(": svm, ridge.")
    assert content.pareto.svg.startswith("<svg")


def test_without_times_there_is_no_front(tmp_path):
    fits = make_fits(tmp_path / "x.fits" / "svm-01234567", ms_per_image=None)
    assert gather_comparison(fits, make_rows(), dataset="pets", root="/p").pareto is None


def test_names_tell_the_fits_apart(tmp_path):
    folder = tmp_path / "x.fits"
    fits = make_fits(folder / "svm-01234567")
    fits[1] = {**fits[1], "clf": "svm", "folder": str(folder / "svm-89abcdef")}
    fits[2] = {**fits[2], "model": "resnet50"}
    content = gather_comparison(fits, make_rows(), dataset="pets", root="/p")
    assert content.names == (
        *("svm on vgg16 (01234567)", "svm on vgg16 (89abcdef)", "ridge on resnet50"),
    )

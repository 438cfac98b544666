"""`pipeline.load`: a fit as an object."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import pipeline
from pipeline import model as module
from pipeline.errors import (
    ClassifierError,
    ClassifierNotFoundError,
    ConfigError,
    DatasetError,
    ImageDecodeError,
)
from pipeline.images import Geometry, decode_image
from tests.faults.harness import files_of
from tests.made_fits import make_fit, open_fake, save_photos
from tests.test_imports import loaded_by


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_photos(folder / "photos")
    make_fit(folder, "knn")
    make_fit(folder, "logreg")
    return folder


@pytest.fixture
def opened(monkeypatch):
    """The jobs that an engine was opened for."""
    jobs = []

    def open_engine(job, *, keep):
        assert not keep
        jobs.append(job)
        return open_fake(job)

    monkeypatch.setattr(module, "open_engine", open_engine)
    return jobs


@pytest.fixture
def model(folder, opened):
    return pipeline.load(cache_dir=folder / "cache")


@pytest.fixture
def photos(folder):
    return sorted((folder / "photos").glob("*/*.jpg"))


def test_the_newest_fit_is_taken_or_the_one_that_is_named(folder):
    newest = pipeline.load(cache_dir=folder / "cache")
    assert newest.fit.name.startswith("logreg-")
    knn = pipeline.load(cache_dir=str(folder / "cache"), clf="knn", model="EfficientNetLite0")
    assert knn.fit.name.startswith("knn-")
    assert pipeline.load(knn.fit).fit == pipeline.load(str(knn.fit)).fit == knn.fit
    assert repr(newest) == "Model(efficientnet-lite0 + logreg, 3 classes)"


def test_without_a_fit_it_says_so(tmp_path):
    with pytest.raises(ClassifierNotFoundError, match="No fit"):
        pipeline.load(cache_dir=tmp_path)


def test_each_image_gets_an_answer(model, photos):
    answers = model.predict(photos, topk=2)
    assert [answer.label for answer in answers] == [photo.parent.name for photo in photos]
    assert [answer.path for answer in answers] == list(map(str, photos))
    assert all(len(answer.classes) == 2 for answer in answers)


def test_paths_and_arrays_are_given_alike(model, photos):
    pixels = decode_image(photos[0].read_bytes(), Geometry(size=32))
    by_array = model.predict(pixels)
    assert len(by_array) == 1
    assert by_array[0].path == ""
    assert by_array[0].label == "blue"
    assert model.predict(str(photos[0])) == model.predict([photos[0]])
    assert [a.label for a in model.predict(np.stack([pixels, pixels]))] == ["blue"] * 2
    mixed = model.predict([pixels, photos[-1], str(photos[0])])
    assert [answer.label for answer in mixed] == ["blue", "red", "blue"]
    few = photos[:2]
    for paths in ((p for p in few), np.array(few), np.array(list(map(str, few))), pd.Series(few)):
        assert [answer.label for answer in model.predict(paths)] == ["blue"] * 2


def test_a_folder_is_its_images(model, photos):
    assert model.predict(photos[0].parents[1]) == model.predict(photos)


def test_probabilities_have_a_column_a_class(model, photos):
    found = model.predict_proba(photos)
    assert found.shape == (36, 3)
    assert model.class_names == ("blue", "green", "red")
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    best = [model.class_names[k] for k in found.argmax(axis=1)]
    assert best == [answer.label for answer in model.predict(photos)]
    np.testing.assert_array_equal(model.predict_proba(photos[5]), found[5:6])


def test_the_network_is_opened_once(model, photos, opened):
    assert opened == []
    model.predict(photos[:3])
    model.predict_proba(photos[:3])
    assert len(opened) == 1


def test_threads_take_turns(model, photos, opened):
    expected, found = model.predict(photos), {}

    def ask(number):
        found[number] = model.predict(photos)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answers == expected for answers in found.values())
    assert (len(found), len(opened)) == (4, 1)


def test_bad_images_have_a_reason_and_no_probabilities(model, photos, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    assert [answer.reason for answer in model.predict([photos[0], bad])] == ["", "not an image"]
    with pytest.raises(ImageDecodeError, match=r"bad.jpg' cannot be used: not an image"):
        model.predict_proba([photos[0], bad])


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "0 images"),
        (np.zeros((0, 4, 4, 3), np.uint8), "0 images"),
        (np.zeros((4, 4, 3)), "float64 of shape"),
        (np.zeros((4, 4), np.uint8), r"uint8 of shape \(4, 4\)"),
        ([np.zeros((4, 4, 4), np.uint8)], r"image 0: uint8 of shape \(4, 4, 4\)"),
        ([7], "image 0: int 7"),
        ([None], "NoneType"),
    ],
)
def test_what_is_no_image_is_said(model, images, words):
    with pytest.raises(ConfigError, match=words):
        model.predict(images)


def test_a_path_that_is_not_there_is_said(model, tmp_path):
    with pytest.raises(DatasetError, match=r"no file or folder .*gone.jpg"):
        model.predict(tmp_path / "gone.jpg")


def test_scores_are_no_probabilities(model, photos, monkeypatch):
    monkeypatch.setattr(model, "has_probabilities", False)
    with pytest.raises(ClassifierError, match="no probabilities"):
        model.predict_proba(photos)


def test_doubt_comes_with_the_model(folder, opened, photos):
    model = pipeline.load(cache_dir=folder / "cache", keep=0.5, coverage=0.8)
    answers = model.predict(photos)
    assert all(answer.distance is not None for answer in answers)
    assert all(answer.label_set is not None for answer in answers)


def test_the_cache_stays_as_it_is(model, photos, folder):
    before = files_of(folder / "cache")
    model.predict(photos)
    assert files_of(folder / "cache") == before


def test_it_loads_what_it_needs_and_not_before_it_is_asked_for():
    assert loaded_by("import pipeline") == set()
    assert loaded_by("import pipeline; pipeline.load") <= {"zarr", "sklearn", "pandas"}


def test_a_fit_in_the_current_folder_needs_no_words(folder, opened, photos, monkeypatch):
    monkeypatch.chdir(folder)
    answers = pipeline.load().predict(Path("photos/red"))
    assert {answer.label for answer in answers} == {"red"}


@pytest.mark.parametrize("image", [None, 3, b"a.jpg", Image.new("RGB", (9, 9))])
def test_what_is_no_image_is_refused_with_what_is(model, image):
    for images in (image, [image]):
        with pytest.raises(ConfigError, match=r"paths or as uint8 RGB arrays.* as image 0"):
            model.predict(images)


@pytest.mark.parametrize("chosen", [{"dataset": "photos"}, {"model": "vgg16"}, {"clf": "svm"}])
def test_a_fit_that_is_named_is_not_chosen_as_well(model, chosen):
    (flag,) = chosen
    with pytest.raises(ConfigError, match=f"--{flag} chooses among fits"):
        pipeline.load(model.fit, **chosen)

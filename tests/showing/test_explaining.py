"""Explanations: with a backbone whose values are mean colours, and with the embedded network."""

import io
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.cache import read_features
from pipeline.classifiers import fit_classifier, linear_head, make_classifier
from pipeline.config import ExtractConfig
from pipeline.errors import BackboneError
from pipeline.extraction import preparing
from pipeline.extraction.preparing import prepare
from pipeline.opening import open_engine
from pipeline.showing import overlaying
from pipeline.showing.explaining import SIDE, explain_rows
from pipeline.stages.extract import extract
from pipeline.views import average_views
from tests.conftest import MeanColourEngine, save_photo

CLASSES = {"green": (0, 150, 0), "red": (150, 0, 0)}


class MeanColourMaps:
    """Mean colours of 4 × 4 parts of an image, which average to those of `MeanColourEngine`."""

    image_sizes = (32,)

    def __init__(self, job=None):
        self.n_images = 0

    def compute(self, images):
        self.n_images += len(images[0])
        parts = images[0].reshape(-1, 4, 8, 4, 8, 3)
        return ((parts.mean(axis=(2, 4), dtype=np.float64) / 255).astype(np.float32),)


def no_maps(job):
    raise AssertionError("nothing was to be opened")


def save_photos(root):
    """Noise that is a little red or green, but one image of each class is half and half."""
    for name, tint in CLASSES.items():
        for i in range(8):
            save_photo(root / name / f"{i}.jpg", seed=i + 10 * len(name), tint=tint)
        pixels = np.full((64, 64, 3), CLASSES["green"], np.uint8)
        pixels[:, 32:] = CLASSES["red"]
        Image.fromarray(pixels if name == "red" else pixels[::-1]).save(root / name / "both.png")
    return root


def extracted(tmp_path, **options):
    config = ExtractConfig(
        dataset=str(save_photos(tmp_path / "photos")),
        cache_dir=tmp_path / "cache",
        **{"image_size": 32, "weights": "random", **options},
    )
    job = prepare(config)
    extract(job, lambda job: MeanColourEngine())
    return job.store


def fitted(store, clf="logreg"):
    table = read_features(store)
    classifier = make_classifier(clf, n_samples=len(table.labels))
    X = average_views(table.features, n_views=table.recipe["views"])
    return fit_classifier(classifier, X, table.labels)[0]


def explain(store, rows, *, clf="logreg", open_maps=MeanColourMaps):
    return explain_rows(store, fitted(store, clf), rows, open_maps=open_maps)


@pytest.fixture
def store(tmp_path):
    return extracted(tmp_path)


def seen(explanation):
    image = Image.open(io.BytesIO(explanation.picture))
    assert (image.format, image.size) == ("WEBP", (SIDE, SIDE))
    return np.asarray(image, float)


def test_what_spoke_for_the_answer_is_orange_and_what_spoke_against_it_blue(store):
    found, reason = explain(store, [("red/both.png", 1, 0), ("green/both.png", 0, 1)])
    assert reason == ""
    for path, orange_left in (("red/both.png", False), ("green/both.png", True)):
        picture = seen(found[path])
        warmth = (picture[..., 0] - picture[..., 2]).mean(axis=0)
        left, right = warmth[20:90].mean(), warmth[134:-20].mean()
        assert (left > 40 > -20 > right) if orange_left else (right > 40 > -20 > left)


@pytest.mark.parametrize(("change", "n_left"), [(1.0, 2), (1.0001, 2), (2.0, 0), (1.2, 0)])
def test_maps_that_do_not_add_up_to_the_margin_explain_nothing(store, change, n_left):
    class Scaled(MeanColourMaps):
        def compute(self, images):
            (maps,) = super().compute(images)
            return (maps * np.float32(change),)

    found, reason = explain(store, [("red/0.jpg", 1, 0), ("green/1.jpg", 0, 1)], open_maps=Scaled)
    assert len(found) == n_left
    assert ("come out otherwise" in reason) == (n_left == 0)


def test_the_margin_is_that_of_the_stored_values(store):
    table = read_features(store)
    head = linear_head(fitted(store), n_classes=2)
    scores = table.features @ head.weights.T + head.constants
    rows = [(path, 0, 1) for path in table.paths]
    found, reason = explain(store, rows)
    assert reason == ""
    assert list(found) == list(table.paths)
    for path, row in zip(table.paths, scores, strict=True):
        assert found[path].margin == pytest.approx(row[0] - row[1], rel=1e-4)


def test_all_images_are_explained_however_many_go_at_once(store, monkeypatch):
    rows = [(path, 0, 1) for path in read_features(store).paths]
    together, _ = explain(store, rows)
    monkeypatch.setattr(overlaying, "IMAGES_A_TURN", 4)
    assert {path: each.margin for path, each in explain(store, rows)[0].items()} == pytest.approx(
        {path: each.margin for path, each in together.items()}, rel=1e-5
    )


@pytest.mark.parametrize("clf", ["svm", "knn"])
def test_a_classifier_that_is_not_linear_is_said_to_be_none(store, clf):
    found, reason = explain(store, [("red/0.jpg", 1, 0)], clf=clf, open_maps=no_maps)
    assert found == {}
    assert "not linear" in reason


def test_values_that_are_no_averages_are_said_to_be_none(tmp_path):
    store = extracted(tmp_path, pooling="max")
    found, reason = explain(store, [("red/0.jpg", 1, 0)], open_maps=no_maps)
    assert found == {}
    assert "--pooling max" in reason


def test_why_no_maps_could_be_opened_is_passed_on(store):
    def fail(job):
        raise BackboneError("there is no such device")

    assert explain(store, [("red/0.jpg", 1, 0)], open_maps=fail) == ({}, "there is no such device")


def test_nothing_is_opened_for_nothing(store, tmp_path):
    assert explain(store, [], open_maps=no_maps) == ({}, "")
    assert explain_rows(tmp_path / "none.zarr", None, [], open_maps=no_maps) == ({}, "")
    found, reason = explain(store, [("red/nowhere.jpg", 1, 0)], open_maps=no_maps)
    assert found == {}
    assert "1 of 1 images cannot be explained" in reason


def test_a_store_that_is_gone_is_a_reason(store, tmp_path):
    classifier = fitted(store)
    rows = [("red/0.jpg", 1, 0)]
    found, reason = explain_rows(tmp_path / "none.zarr", classifier, rows, open_maps=no_maps)
    assert found == {}
    assert "none.zarr" in reason


def test_images_that_are_gone_or_changed_are_left_out_and_the_others_are_not_needed(
    store, tmp_path
):
    classifier, photos = fitted(store), tmp_path / "photos"
    shutil.move(photos / "red" / "both.png", tmp_path)
    shutil.rmtree(photos)
    (photos / "red").mkdir(parents=True)
    shutil.move(tmp_path / "both.png", photos / "red")
    save_photo(photos / "red" / "0.jpg", seed=999)
    rows = [("red/0.jpg", 1, 0), ("red/1.jpg", 1, 0), ("red/both.png", 1, 0)]
    found, reason = explain_rows(store, classifier, rows, open_maps=MeanColourMaps)
    assert list(found) == ["red/both.png"]
    assert "2 of 3 images cannot be explained" in reason


def test_an_image_whose_values_come_out_otherwise_is_left_out(store):
    class Turned(MeanColourMaps):
        def compute(self, images):
            (maps,) = super().compute(images)
            maps[0] = maps[0, :, :, ::-1]
            return (maps,)

    found, reason = explain(store, [("red/0.jpg", 1, 0), ("red/1.jpg", 1, 0)], open_maps=Turned)
    assert list(found) == ["red/1.jpg"]
    assert "come out otherwise" in reason


def test_an_image_of_a_class_that_was_never_seen_is_left_out(tmp_path):
    save_photo(tmp_path / "photos" / "blue" / "0.jpg", seed=500, tint=(0, 0, 150))
    store = extracted(tmp_path)
    table = read_features(store)
    kept = table.labels > 0
    classifier, _ = fit_classifier(
        make_classifier("logreg", n_samples=int(kept.sum())),
        table.features[kept],
        table.labels[kept],
    )
    rows = [("red/0.jpg", 2, 1), ("blue/0.jpg", 2, 0)]
    found, reason = explain_rows(store, classifier, rows, open_maps=MeanColourMaps)
    assert list(found) == ["red/0.jpg"]
    assert "no training image" in reason


def test_a_program_that_reads_images_otherwise_explains_nothing(store, monkeypatch):
    monkeypatch.setattr(preparing, "DECODER", "another")
    found, reason = explain(store, [("red/0.jpg", 1, 0)], open_maps=no_maps)
    assert found == {}
    assert "changed since" in reason


REAL = """
import sys, time
import numpy as np
from pathlib import Path
from pipeline.cache import read_features
from pipeline.classifiers import class_scores, fit_classifier, make_classifier
from pipeline.opening import open_maps
from pipeline.showing.explaining import explain_rows
from pipeline.views import average_views

store = Path(sys.argv[1])
table = read_features(store)
X = average_views(table.features, n_views=table.recipe["views"])
unfitted = make_classifier("linear-svm", n_samples=len(X))
classifier, _ = fit_classifier(unfitted, X, table.labels)
scores = class_scores(classifier, X, n_classes=2)
rows = [(path, 0, 1) for path in table.paths]
found, reason = explain_rows(store, classifier, rows, open_maps=open_maps)
assert reason == "", reason
margins = np.array([found[path].margin for path in table.paths])
expected = (scores[:, 0] - scores[:, 1]) / 2  # -s and s there
print(np.abs(margins - expected).max() / np.abs(expected).max())
print(sorted({"keras", "tensorflow", "jax", "torch"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "options", [{}, {"augment": "hflip"}, {"augment": "hflip", "views": 2}], ids=str
)
def test_the_embedded_network_is_explained_exactly_and_without_keras(tmp_path, options):
    config = ExtractConfig(
        dataset=str(save_photos(tmp_path / "photos")),
        cache_dir=tmp_path / "cache",
        model="efficientnet-lite0",
        image_size=64,
        device="cpu",
        **options,
    )
    job = prepare(config)
    extract(job, open_engine)
    command = [sys.executable, "-c", REAL, str(job.store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    error, modules = done.stdout.split("\n")[:2]
    assert float(error) < 1e-4
    assert modules == "[]"

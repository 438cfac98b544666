"""Pictures of what spoke for answers, outside of any store."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import BackboneError
from pipeline.predicting.whole import settle_whole
from pipeline.stages.explain_answers import INDEX, Explanations
from pipeline.stages.predict import predict
from tests.faults.harness import files_of
from tests.made_fits import make_fit, open_fake, save_photos, settle
from tests.showing.test_explaining import MeanColourMaps, no_maps


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    save_photos(folder / "photos")
    return {clf: make_fit(folder, clf) for clf in ("logreg", "knn")}


def explain(fit, images, to, open_maps=MeanColourMaps):
    predictor = settle(fit)
    explanations = Explanations(predictor, images, to, open_maps=open_maps)
    for part in predict(predictor, images, open_fake):
        explanations.take(part)
    explanations.finish()
    return explanations


@pytest.fixture
def halves(tmp_path):
    """A photo whose left is green and whose right is a little more red."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32, 1], pixels[:, 32:, 0] = 150, 190
    path = tmp_path / "in" / "halves.png"
    path.parent.mkdir()
    Image.fromarray(pixels).save(path)
    return path


def test_what_spoke_for_the_answer_is_orange(fitted, halves, tmp_path):
    found = explain(fitted["logreg"], [str(halves)], tmp_path / "out")
    assert (found.n_drawn, found.n_missing, found.reason) == (1, 0, "")
    picture = np.asarray(Image.open(tmp_path / "out" / "halves.png.explained.webp"), float)
    warmth = (picture[..., 0] - picture[..., 2]).mean(axis=0)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "out" / INDEX).read_text()))
    assert (row["path"], row["picture"]) == (str(halves), "halves.png.explained.webp")
    assert {row["class"], row["against"]} == {"green", "red"}
    is_red = row["class"] == "red"
    assert (warmth[134:-20].mean() > warmth[20:90].mean() + 40) == is_red
    assert float(row["margin"]) > 0


def test_photos_of_one_name_do_not_write_over_each_other(fitted, halves, tmp_path):
    other = tmp_path / "other" / "halves.png"
    other.parent.mkdir()
    other.write_bytes(halves.read_bytes())
    explain(fitted["logreg"], [str(halves), str(other)], tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("halves.png.explained.webp", "halves-2.png.explained.webp", INDEX),
    }


def test_photos_beside_them_stay(fitted, halves):
    before = halves.read_bytes()
    explain(fitted["logreg"], [str(halves)], halves.parent)
    assert halves.read_bytes() == before


def test_bad_images_and_those_that_come_out_otherwise_are_left_out(fitted, halves, tmp_path):
    class Other(MeanColourMaps):
        def compute(self, images):
            return (super().compute(images)[0][..., ::-1].copy(),)

    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    found = explain(fitted["logreg"], [str(bad), str(halves)], tmp_path / "out", Other)
    assert (found.n_drawn, found.n_missing) == (0, 1)
    assert not (tmp_path / "out").exists()


def test_where_it_cannot_be_told_nothing_is_opened_and_it_is_said_why(fitted, halves, tmp_path):
    found = explain(fitted["knn"], [str(halves)], tmp_path / "out", no_maps)
    assert "not linear" in found.reason
    assert found.n_missing == 1
    assert not (tmp_path / "out").exists()


def test_maps_that_cannot_be_opened_are_said_once(fitted, halves, tmp_path):
    opened = []

    def fail(job):
        opened.append(job)
        raise BackboneError("there is no such device")

    images = [str(halves)] * 70  # more than come at once
    found = explain(fitted["logreg"], images, tmp_path / "out", fail)
    assert found.reason == "there is no such device"
    assert (len(opened), found.n_missing) == (1, 70)


def test_the_cache_stays_as_it_is(fitted, halves, tmp_path):
    cache = fitted["logreg"].parents[2]
    before = files_of(cache)
    explain(fitted["logreg"], [str(halves)], tmp_path / "out")
    assert files_of(cache) == before


def test_of_a_whole_network_its_own_reason_is_given(tmp_path):
    whole = settle_whole("efficientnet-lite0", cache_dir=tmp_path)
    found = Explanations(whole, [], tmp_path / "out", open_maps=no_maps)
    assert "names images by its own top" in found.reason

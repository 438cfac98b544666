"""Answers about images by a fit, as they come, and what they come to."""

import csv
import io
import shutil

import numpy as np
import pytest

from pipeline.errors import ConfigError, FeatureMismatchError
from pipeline.records import Answer
from pipeline.stages.doubt import find_doubt
from pipeline.stages.predict import Tally, predict
from tests.conftest import MeanColourEngine, save_photo
from tests.faults.harness import files_of
from tests.made_fits import make_fit, open_fake, save_photos, settle

CLASSIFIERS = ("logreg", "svm", "linear-svm", "mlp", "knn", "ridge")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predicted")
    save_photos(folder / "photos")
    return folder


@pytest.fixture(scope="module", params=CLASSIFIERS)
def fit(folder, request):
    return make_fit(folder, request.param)


@pytest.fixture(scope="module")
def logreg(folder):
    return make_fit(folder)


@pytest.fixture
def photos(folder):
    return sorted(map(str, (folder / "photos").glob("*/*.jpg")))


def answer(predictor, images, open_engine=open_fake, **options):
    return [
        answer
        for part in predict(predictor, images, open_engine, **options)
        for answer in part.answers
    ]


def test_the_answers_are_those_of_the_fit_bit_for_bit(fit, folder):
    """predictions.csv has what the fit said of its test rows, from the values in the store."""
    predictor = settle(fit)
    said = list(csv.DictReader(io.StringIO((fit / "predictions.csv").read_text(), newline="")))
    images = [str(folder / "photos" / row["path"]) for row in said]
    assert len(images) >= 6
    for row, found in zip(said, answer(predictor, images, topk=3), strict=True):
        assert found.label == row["prediction"]
        numbers = dict(zip(found.classes, found.probabilities or found.scores, strict=True))
        for name in predictor.class_names:
            assert f"{numbers[name]:.9g}" == f"{float(row[f'score:{name}']):.9g}"


def test_fault_51_one_image_is_answered_as_among_others_bit_for_bit(fit, photos):
    predictor = settle(fit)
    together = answer(predictor, photos, topk=3)
    for row in (0, 5, 20, 35):
        assert answer(predictor, [photos[row]], topk=3) == [together[row]]
    assert answer(predictor, photos[7:], topk=3) == together[7:]


def test_fault_51_another_width_is_refused(logreg, photos):
    class Wide(MeanColourEngine):
        width, widths = 4, (4,)

        def infer_many(self, batches):
            for values in super().infer_many(batches):
                yield np.concatenate([values, values[:, :1]], axis=1)

    with pytest.raises(FeatureMismatchError, match="3 transfer values"):
        answer(settle(logreg), photos[:1], lambda job: Wide())


def test_fault_51_no_image_is_no_answer(logreg):
    assert answer(settle(logreg), []) == []


def test_nothing_is_written(logreg, photos):
    cache = logreg.parents[2]
    before = files_of(cache)
    answer(settle(logreg), photos)
    assert files_of(cache) == before


@pytest.mark.parametrize("topk", [0, -1])
def test_no_class_is_wrong_usage(logreg, photos, topk):
    with pytest.raises(ConfigError, match="--topk"):
        answer(settle(logreg), photos[:1], topk=topk)


def test_the_sum_counts_every_image_once(logreg, photos, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    tally = Tally(settle(logreg))
    parts = predict(settle(logreg), [*photos[:14], str(bad), str(bad)], open_fake)
    assert sum(len(part.answers) for part in tally.count(parts)) == 16
    found = tally.sum_up()
    assert (found.n_images, found.n_skipped, found.skipped) == (16, 2, {"zero bytes": 2})
    assert found.counts == {"blue": 12, "green": 2}
    assert found.to_dict()["n_skipped"] == 2
    assert (found.clf, found.kind) == ("logreg", "probability")
    assert len(found.to_dict([Answer(path="x", reason="y")])["answers"]) == 1


class TestDoubt:
    def test_without_being_asked_there_is_none(self, logreg):
        found = find_doubt(settle(logreg))
        assert (found.rejection, found.sets) == (None, None)

    @pytest.mark.parametrize("flags", [{"reject": True}, {"reject_by": "mahalanobis"}])
    def test_what_is_unlike_all_training_images_is_unknown(self, folder, logreg, photos, flags):
        doubt = find_doubt(settle(logreg), keep=0.5, **flags)
        odd = save_photo(folder / "odd.jpg", seed=1, tint=(180, 180, 0))
        found = answer(
            settle(logreg), [str(odd), *photos], rejection=doubt.rejection, sets=doubt.sets
        )
        assert found[0].label == "unknown"
        assert sum(each.is_unknown for each in found[1:]) < len(photos) / 2
        assert all(each.distance is not None and each.label_set is None for each in found)

    def test_a_set_of_classes_holds_the_answer(self, logreg, photos):
        doubt = find_doubt(settle(logreg), coverage=0.8)
        assert doubt.rejection is None
        found = answer(settle(logreg), photos, sets=doubt.sets)
        assert all(each.label_set is not None for each in found)
        assert all(set(each.label_set) <= {"blue", "green", "red"} for each in found)
        assert any(each.label in each.label_set for each in found)

    @pytest.mark.parametrize(
        "flags", [{"keep": 2.0}, {"reject_by": "magic"}, {"coverage": 0.0}, {"coverage": 1.5}]
    )
    def test_what_cannot_be_is_wrong_usage(self, logreg, flags):
        with pytest.raises(ConfigError):
            find_doubt(settle(logreg), **flags)


def test_a_fit_that_was_copied_away_answers_alike(logreg, photos, tmp_path):
    alone = shutil.copytree(logreg, tmp_path / "product")
    predictor = settle(alone, cache_dir=tmp_path / "none")
    assert answer(predictor, photos) == answer(settle(logreg), photos)

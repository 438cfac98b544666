"""Whole networks that name images by themselves."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.backbones.imagenet_names import imagenet_classes, imagenet_ids
from pipeline.cli import app
from pipeline.errors import ConfigError
from pipeline.opening import open_engine
from pipeline.predicting.whole import settle_whole
from pipeline.stages.doubt import find_doubt
from pipeline.stages.predict import predict
from tests.conftest import save_photo
from tests.test_cli import run


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A cache in which the network is converted once."""
    return tmp_path_factory.mktemp("cache")


def name_images(images, cache_dir, **settings):
    predictor = settle_whole("efficientnet-lite0", cache_dir=cache_dir, device="cpu", **settings)
    parts = predict(predictor, images, open_engine, topk=3)
    return [answer for part in parts for answer in part.answers]


def test_images_are_named_with_probabilities(networks, photos):
    paths = sorted(photos.glob("*/*.jpg"))[:5]
    answers = name_images(paths, networks)
    for answer in answers:
        assert set(answer.classes) <= set(imagenet_classes())
        assert len(answer.classes) == 3
        assert sorted(answer.probabilities, reverse=True) == list(answer.probabilities)
        assert 0 < sum(answer.probabilities) <= 1
    # One image is answered as it was among others, bit for bit.
    assert name_images(paths[3:4], networks)[0].probabilities == answers[3].probabilities


def test_a_network_has_no_training_images_to_compare_with(networks):
    predictor = settle_whole("efficientnet-lite0", cache_dir=networks, weights="random")
    with pytest.raises(ConfigError, match="--reject and --coverage"):
        find_doubt(predictor, reject=True)


class TestCommand:
    def test_three_names_by_default(self, networks, tmp_path):
        photo = save_photo(tmp_path / "photo.jpg", seed=1)
        name_images([photo], networks)  # converted
        done = run(
            *("predict", "--imagenet", photo, "--json", "--device", "cpu"),
            *("--cache-dir", networks),
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        (answer,) = json.loads(done.stdout)["answers"]
        assert len(answer["classes"]) == len(answer["probabilities"]) == 3

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--clf", "svm"), "--clf is of a fit, and --imagenet asks none"),
            (("--fit", "somewhere"), "--fit is of a fit"),
            (("--model", "no-such-network"), "is not a known backbone"),
            (("--model", "vgg16+resnet50"), "names 2. Name one"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, tmp_path, words, message):
        photo = save_photo(tmp_path / "photo.jpg", seed=1)
        done = CliRunner().invoke(app, ["predict", "--imagenet", str(photo), *words])
        assert done.exit_code == 2
        assert message in " ".join(done.stderr.split())


def test_photographs_are_named_rightly(networks, real_data):
    paths = sorted((real_data / "imagenet-sample").iterdir())
    answers = name_images(paths, networks)
    names = dict(zip(imagenet_ids(), imagenet_classes(), strict=True))
    right = [names[path.name.partition("_")[0]] for path in paths]
    first = [name == answer.classes[0] for name, answer in zip(right, answers, strict=True)]
    third = [name in answer.classes for name, answer in zip(right, answers, strict=True)]
    assert len(paths) == 60
    assert np.sum(first) >= 50
    assert np.sum(third) >= 56

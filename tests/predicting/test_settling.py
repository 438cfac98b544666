"""Which network a fit takes the values of, and which it refuses."""

import json
import shutil
from dataclasses import replace

import pytest

from pipeline.artifacts.description import sealed
from pipeline.config import ExtractConfig
from pipeline.datasets.loose import list_nothing
from pipeline.errors import (
    ArtifactTamperedError,
    ClassifierError,
    ClassifierNotFoundError,
    ConfigError,
    FeatureMismatchError,
    WeightsNotFoundError,
)
from pipeline.extraction.preparing import make_job, settle_network
from pipeline.extraction.settings import settings_by_recipe, settings_of
from pipeline.predicting import settling
from pipeline.predicting.settling import PROBABILITY, SCORE
from pipeline.ranking import store_of
from pipeline.records import Recipe
from tests.made_fits import make_fit, save_photos, settle


def recipe_of(fit):
    return json.loads((fit / "model.json").read_text())["recipe"]


def without_images(recipe):
    return {name: value for name, value in recipe.items() if name != "manifest_digest"}


def rewrite(fit, **changes):
    """Change a fit's model.json as somebody would who can seal it."""
    path = fit / "model.json"
    info = json.loads(path.read_text())
    del info["sha256"]
    path.write_text(json.dumps(sealed({**info, **changes})))


@pytest.fixture
def alone(fitted, tmp_path):
    """The fit copied away from its store."""
    return shutil.copytree(fitted[1], tmp_path / "product" / "model")


def test_the_store_beside_the_fit_tells_how_its_values_were_made(fitted):
    folder, fit = fitted
    predictor = settle(fit)
    assert predictor.store is not None
    assert predictor.store.parent == folder / "cache" / "photos"
    assert predictor.class_names == ("blue", "green", "red")
    assert predictor.kind == PROBABILITY
    assert without_images(predictor.job.recipe.to_dict()) == without_images(recipe_of(fit))
    assert predictor.job.config.cache_dir == folder / "cache"


def test_the_precision_is_the_fits_whatever_auto_comes_to_by_now(fitted, monkeypatch):
    other = replace(settings_of(store_of(fitted[1])), precision="bfloat16")
    monkeypatch.setattr(settling, "settings_of", lambda _: other)
    assert settle(fitted[1]).job.recipe.precision == recipe_of(fitted[1])["precision"] == "float32"


def test_a_fit_that_was_copied_away_goes_by_its_recipe(fitted, alone, tmp_path):
    predictor = settle(alone, cache_dir=tmp_path / "elsewhere")
    assert predictor.store is None
    assert without_images(predictor.job.recipe.to_dict()) == without_images(recipe_of(alone))
    assert predictor.job.network == settle(fitted[1]).job.network
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"image_size": 48, "resize": "pad", "pooling": "max"},
        {"layers": ("block2a_expansion", "block3a_expansion"), "dtype": "float16"},
        {"augment": "hflip", "views": 2},
        {"model": "efficientnet-lite0+vgg16"},
        {"model": "efficientnet-lite0+vgg16", "image_size": 64, "resize": "squash"},
        {"model": "vgg16+efficientnet-lite1", "layers": ("vgg16:block4_pool",)},
    ],
)
def test_settings_by_a_recipe_make_the_recipe_again(settings, tmp_path):
    config = ExtractConfig(weights="random", cache_dir=tmp_path, **settings)
    recipe = make_job(config, settle_network(config), list_nothing()).recipe
    again = settings_by_recipe(
        Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))),
        weights="random",
        cache_dir=tmp_path,
    )
    assert make_job(again, settle_network(again), list_nothing()).recipe == recipe


@pytest.mark.parametrize(
    ("field", "value"),
    [("decoder", "another"), ("pooling", "max"), ("resize", "pad"), ("dtype", "float16")],
)
def test_fault_32_values_of_another_recipe_are_refused(alone, field, value, tmp_path):
    """The fit says one thing; what would be computed here is another."""
    recipe = recipe_of(alone)
    backbone = recipe["backbones"][0]
    (backbone if field in backbone else recipe)[field] = value
    rewrite(alone, recipe=recipe)
    if field == "decoder":  # of another version of this program: nothing here makes it
        with pytest.raises(FeatureMismatchError, match="decoder: 'another', not 'pillow"):
            settle(alone, cache_dir=tmp_path)
    else:  # settings that make it are found
        assert settle(alone, cache_dir=tmp_path).job.recipe.to_dict() | {
            "manifest_digest": ""
        } == recipe | {"manifest_digest": ""}


def test_fault_32_a_store_beside_it_of_another_recipe_is_not_believed(fitted, tmp_path):
    _, fit = fitted
    product = tmp_path / "cache" / "photos"
    shutil.copytree(fit.parents[1], product)
    moved = product / fit.parent.name / fit.name
    recipe = recipe_of(moved)
    recipe["pooling"] = "max"
    rewrite(moved, recipe=recipe)  # the key still names the store, which is of averages
    with pytest.raises(FeatureMismatchError, match="pooling: 'max', not 'avg'"):
        settle(moved)


def test_other_weights_are_refused_by_their_hash(alone, tmp_path):
    with pytest.raises(FeatureMismatchError, match=r"(?s)SHA-256 random:seed.*--weights FILE"):
        settle(alone, weights="imagenet", cache_dir=tmp_path)


def test_weights_that_are_gone_are_asked_for(fitted, tmp_path):
    _, fit = fitted
    with pytest.raises(WeightsNotFoundError, match=r"not at .*gone.h5 any more.*--weights FILE"):
        settle(fit, weights=str(tmp_path / "gone.h5"))


def test_what_is_no_fit_is_said(tmp_path):
    with pytest.raises(ClassifierNotFoundError, match="There is no fit at"):
        settle(tmp_path, cache_dir=tmp_path)


def test_a_fit_of_another_scikit_learn_needs_force(alone, tmp_path):
    versions = json.loads((alone / "model.json").read_text())["versions"]
    rewrite(alone, versions={**versions, "scikit-learn": "0.1"})
    with pytest.raises(ClassifierError, match=r"scikit-learn 0\.1"):
        settle(alone, cache_dir=tmp_path)
    assert settle(alone, cache_dir=tmp_path, force=True).class_names == ("blue", "green", "red")


def test_a_recipe_that_is_none_is_tampered_with(alone, tmp_path):
    rewrite(alone, recipe={"pooling": "avg"})
    with pytest.raises(ArtifactTamperedError, match="which transfer values it takes"):
        settle(alone, cache_dir=tmp_path)


def test_a_backbone_that_is_not_known_here_is_said(alone, tmp_path):
    recipe = recipe_of(alone)
    recipe["backbones"][0]["model"] = "resnext101"
    rewrite(alone, recipe=recipe)
    with pytest.raises(ConfigError, match="resnext101"):
        settle(alone, cache_dir=tmp_path)


def test_machine_settings_may_be_others(fitted):
    config = settle(fitted[1], device="cpu", batch_size=3, workers=1).job.config
    assert (config.device, config.batch_size, config.workers) == ("cpu", 3, 1)


def test_decision_scores_are_called_scores(tmp_path):
    save_photos(tmp_path / "photos")
    # With two photos a class, there are too few for calibration.
    for photo in (tmp_path / "photos").glob("*/*.jpg"):
        if int(photo.stem) > 1:
            photo.unlink()
    predictor = settle(make_fit(tmp_path, "linear-svm"))
    assert predictor.kind == SCORE


def test_of_synonyms_the_first_is_for_people_unless_another_class_is_called_so_too(fitted):
    names = ("goldfish, Carassius auratus", "crane", "crane, bird", "bib")
    predictor = replace(settle(fitted[1]), class_names=names)
    assert predictor.short_names == {}  # of a fit, a class is called as it is called
    assert replace(predictor, model=None).short_names == {
        "goldfish, Carassius auratus": "goldfish",
        "bib": "bib",
    }

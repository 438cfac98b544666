import pytest

from pipeline.config import (
    CLASSIFIERS,
    TAKES_C,
    ExtractConfig,
    FitConfig,
    Gates,
    parse_count,
)
from pipeline.errors import ConfigError


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_c_is_a_finite_number_greater_than_0(value):
    with pytest.raises(ConfigError, match="--C must be a finite number greater than 0"):
        FitConfig(C=value)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_the_test_size_is_a_share(value):
    with pytest.raises(ConfigError, match="--test-size must lie between 0 and 1"):
        FitConfig(test_size=value)


@pytest.mark.parametrize("value", [0, -3])
@pytest.mark.parametrize("name", ["image_size", "limit", "batch_size", "workers"])
def test_numbers_of_things_are_positive(name, value):
    flag = name.replace("_", "-")
    with pytest.raises(ConfigError, match=rf"--{flag} must be at least 1\. Got: {value}\."):
        ExtractConfig(**{name: value})
    assert getattr(ExtractConfig(**{name: 1}), name) == 1


def test_a_count_is_a_whole_number_or_left_to_the_machine():
    assert parse_count("--workers", "auto") is None
    assert parse_count("--workers", "12") == 12
    assert parse_count("--workers", "0") == 0  # refused by what it is for, under its name


@pytest.mark.parametrize("text", ["x", "", "1.5", "8x", "Auto", "1e3"])
def test_a_count_that_is_none_is_refused_by_the_name_of_its_flag(text):
    with pytest.raises(ConfigError, match="--batch-size must be auto or a whole number") as caught:
        parse_count("--batch-size", text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("augment", ["none", "hflip"])
@pytest.mark.parametrize("views", [0, 3, -1])
def test_an_image_has_one_view_or_two(augment, views):
    with pytest.raises(ConfigError, match=f"--views must be 1 or 2. Got: {views}"):
        ExtractConfig(augment=augment, views=views)


def test_a_second_view_is_that_of_the_mirror_image():
    with pytest.raises(ConfigError, match=r"--views 2 .* add --augment hflip"):
        ExtractConfig(views=2)
    config = ExtractConfig(views=2, augment="hflip")
    assert (config.to_dict()["views"], config.to_dict()["augment"]) == (2, "hflip")
    assert (ExtractConfig().views, ExtractConfig(augment="hflip").views) == (1, 1)


def test_there_is_one_way_to_augment():
    with pytest.raises(ConfigError, match=r"--augment must be one of none, hflip\. Got: 'vflip'"):
        ExtractConfig(augment="vflip")


def test_a_layer_is_taken_once():
    with pytest.raises(ConfigError, match="--layer is given twice: a, b, a"):
        ExtractConfig(layers=("a", "b", "a"))


def test_a_choice_names_what_there_is():
    with pytest.raises(ConfigError, match=r"--clf must be one of logreg, svm.* Got: 'tree'"):
        FitConfig(clf="tree")


@pytest.mark.parametrize("clf", sorted(set(CLASSIFIERS) - set(TAKES_C)))
def test_a_c_for_a_classifier_that_has_none_is_refused(clf):
    with pytest.raises(ConfigError, match=f"--C is a setting of .*logreg.*--clf {clf} --C 2"):
        FitConfig(clf=clf, C=2)


@pytest.mark.parametrize("clf", ["mlp", "knn"])
def test_class_weights_for_a_classifier_that_has_none_are_refused(clf):
    with pytest.raises(ConfigError, match=f"--class-weight is a setting .*--clf {clf}"):
        FitConfig(clf=clf, class_weight="balanced")
    FitConfig(clf="ridge", class_weight="balanced")


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_gate_is_a_share(share):
    with pytest.raises(ConfigError, match="--min-accuracy is a share from 0 to 1"):
        Gates(min_accuracy=share)
    with pytest.raises(ConfigError, match="--min-recall cat is a share from 0 to 1"):
        Gates(min_recall={"cat": share})


@pytest.mark.parametrize(
    ("settings", "words"), [({"shots": 0}, "--shots"), ({"split": "random"}, "--split")]
)
def test_splits_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        FitConfig(**settings)

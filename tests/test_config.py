import pytest

from pipeline.config import ExtractConfig, FitConfig
from pipeline.errors import ConfigError


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_c_is_a_finite_number_greater_than_0(value):
    with pytest.raises(ConfigError, match="--C must be a finite number greater than 0"):
        FitConfig(C=value)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_the_test_size_is_a_share(value):
    with pytest.raises(ConfigError, match="--test-size must lie between 0 and 1"):
        FitConfig(test_size=value)


@pytest.mark.parametrize("name", ["image_size", "limit", "batch_size", "workers"])
def test_numbers_of_things_are_positive(name):
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} must be at least 1"):
        ExtractConfig(**{name: 0})


def test_a_layer_is_taken_once():
    with pytest.raises(ConfigError, match="--layer is given twice: a, b, a"):
        ExtractConfig(layers=("a", "b", "a"))


def test_a_choice_names_what_there_is():
    with pytest.raises(ConfigError, match=r"--clf must be one of logreg, svm.* Got: 'tree'"):
        FitConfig(clf="tree")

from dataclasses import replace

import numpy as np
import pytest

from pipeline.advising.judging import (
    count_images,
    has_little_to_gain,
    judge_likeness,
    judge_size,
    say_why,
)
from tests.advising.made_probes import make_counts, make_probed


def test_only_training_images_of_each_class_are_counted():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    counts = count_images(labels, np.array([0, 1, 3, 5, 6, 7]), n_classes=3)
    assert (counts.n_images, counts.n_train, counts.n_classes) == (9, 6, 3)
    assert (counts.smallest, counts.median, counts.largest) == (1, 2, 3)


@pytest.mark.parametrize(
    ("n_train", "median", "size"),
    [
        (1_999, 900, "small"),
        (50_000, 99, "small"),  # many classes of few images each
        (2_000, 100, "between"),
        (4_999, 2_000, "between"),
        (5_000, 199, "between"),
        (5_000, 200, "large"),
    ],
)
def test_small_and_large_go_by_all_images_and_by_those_of_a_class(n_train, median, size):
    assert judge_size(make_counts(n_train=n_train, median=median)) == size


@pytest.mark.parametrize(
    ("late", "early", "likeness"),
    [(0.90, 0.80, "similar"), (0.80, 0.90, "different"), (0.90, 0.88, "unknown")],
)
def test_likeness_is_told_only_where_chance_does_not_explain_it(late, early, likeness):
    assert judge_likeness(make_probed(late, early, margin=0.03)) == likeness


def test_layers_that_tell_nothing_tell_no_likeness():
    probed = make_probed(0.26, 0.20, margin=0.03, most_frequent=0.25)
    assert judge_likeness(probed) == "unknown"
    (_, said) = say_why(make_counts(), probed)
    assert said.startswith("Neither layer does better than always naming the most frequent class")


def test_one_layer_that_tells_something_is_enough():
    assert judge_likeness(make_probed(0.26, 0.50)) == "different"


def test_nothing_is_said_of_images_that_were_too_few_to_try():
    probed = replace(make_probed(n_images=3), late=None, early=None, difference=None)
    assert judge_likeness(probed) == "unknown"
    assert not has_little_to_gain(probed)
    assert "3 usable training images are too few" in list(say_why(make_counts(), probed))[1]


def test_all_of_a_few_images_is_not_nearly_all():
    probed = make_probed(1.0, 0.9)
    surely = replace(probed.late, low=0.98)
    assert has_little_to_gain(replace(probed, late=surely))
    assert not has_little_to_gain(replace(probed, late=replace(surely, low=0.94)))


def test_the_difference_is_said_from_the_better_layers_side():
    assert "+10.0 points [+7.0, +13.0]" in list(say_why(make_counts(), make_probed(0.9, 0.8)))[1]
    assert "+10.0 points [+7.0, +13.0]" in list(say_why(make_counts(), make_probed(0.8, 0.9)))[1]


def test_a_run_that_was_cut_says_so():
    said = list(say_why(make_counts(), make_probed(was_cut=True, n_images=128, n_wanted=2_000)))
    assert "after 128 of 2,000 images" in said[1]

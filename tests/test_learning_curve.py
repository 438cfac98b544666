import json

import numpy as np
import pytest

from pipeline.errors import ClassifierError
from pipeline.learning_curve import (
    PowerLaw,
    curve_sizes,
    describe_learning_curve,
    fit_power_law,
    forecast,
    nested_subset,
)

SIZES = np.array(curve_sizes(2000, 5), np.float64)
LAWS = [PowerLaw(a=0.05, b=2, c=0.5), PowerLaw(a=0.1, b=3, c=0.7), PowerLaw(a=0.02, b=0.8, c=0.25)]


def observe(law, *, n_folds=5, n_test=400, seed=0):
    """Errors of folds that are measured on `n_test` rows each, some folds harder than others."""
    rng = np.random.default_rng(seed)
    rate = law.a + law.b * SIZES**-law.c + rng.normal(0, 0.005, (n_folds, 1))
    return rng.binomial(n_test, np.clip(rate, 0, 1)) / n_test


@pytest.mark.parametrize("law", LAWS)
def test_an_exact_power_law_is_found(law):
    found = fit_power_law(SIZES, np.array([law.error(n) for n in SIZES]))
    assert (found.a, found.b, found.c) == pytest.approx((law.a, law.b, law.c), abs=2e-3)
    assert found.error(20_000) == pytest.approx(law.error(20_000), abs=1e-4)


def test_a_law_without_a_floor_is_found():
    found = fit_power_law(SIZES, SIZES**-0.3)
    assert (found.a, found.b, found.c) == pytest.approx((0, 1, 0.3), abs=1e-6)


def test_the_law_is_the_least_squares_one():
    errors = observe(LAWS[0])[0]
    found = fit_power_law(SIZES, errors)

    def loss(a, b, c):
        return ((a + b * SIZES**-c - errors) ** 2).sum()

    best = loss(found.a, found.b, found.c)
    rng = np.random.default_rng(1)
    for a, b, c in rng.uniform((0, 0, 0.02), (0.2, 5, 2), (2000, 3)):
        assert loss(a, b, c) >= best


def test_an_error_that_falls_faster_than_to_0_has_the_best_law_without_a_floor():
    errors = 0.9 - 0.1 * np.log(SIZES)
    found = fit_power_law(SIZES, errors)
    assert found.a == 0
    assert 0 < found.error(1e9) < errors[-1]
    best = ((found.b * SIZES**-found.c - errors) ** 2).sum()
    for c in np.linspace(0.02, 2, 100):
        x = SIZES**-c
        assert ((x * (x @ errors) / (x @ x) - errors) ** 2).sum() >= best - 1e-12


def test_a_size_without_weight_does_not_count():
    errors = np.array([LAWS[0].error(n) for n in SIZES])
    errors[0] = 0.9
    found = fit_power_law(SIZES, errors, weights=np.array([0, 1, 1, 1, 1, 1.0]))
    assert (found.a, found.b, found.c) == pytest.approx((0.05, 2, 0.5), abs=2e-3)


@pytest.mark.parametrize(
    ("errors", "floor"), [([0.0, 0, 0], 0), ([0.1, 0.1, 0.1], 0.1), ([0.1, 0.2, 0.3], 0.2)]
)
def test_a_curve_that_does_not_fall_is_constant(errors, floor):
    found = fit_power_law([100, 200, 400], np.array(errors))
    assert (found.a, found.b, found.c) == pytest.approx((floor, 0, 0))
    assert found.b == found.c == 0


@pytest.mark.parametrize("sizes", [[], [10], [10, 20], [10, 10, 20]])
def test_fewer_than_three_sizes_are_refused(sizes):
    with pytest.raises(ClassifierError, match="3 different training sizes at least"):
        fit_power_law(sizes, np.zeros(len(sizes)))


def test_error_is_never_above_1():
    assert PowerLaw(a=0, b=9, c=0.1).error(2) == 1


@pytest.mark.parametrize(("law", "least"), [(LAWS[0], 0.9), (LAWS[1], 0.9), (LAWS[2], 0.85)])
def test_forecast_interval_covers_the_truth(law, least):
    """The rates of more draws are in the docstring of `forecast`."""
    at = [4000, 20_000]
    truth = np.array([1 - law.error(n) for n in at])
    covered = []
    for seed in range(40):
        made = forecast(SIZES, observe(law, seed=seed), at, seed=seed)
        covered.append([f.low <= t <= f.high for f, t in zip(made, truth, strict=True)])
    assert np.mean(covered) >= least


def test_forecast_is_between_its_ends_the_seeds_and_wider_further_out():
    errors = observe(LAWS[0])
    made = forecast(SIZES, errors, [2000, 4000, 20_000], seed=1)
    assert all(f.low <= f.accuracy <= f.high for f in made)
    law = fit_power_law(SIZES, errors.mean(axis=0))
    assert [f.accuracy for f in made] == pytest.approx([1 - law.error(f.n) for f in made])
    widths = [f.high - f.low for f in made]
    assert widths == sorted(widths)
    assert made == forecast(SIZES, errors, [2000, 4000, 20_000], seed=1)
    assert made != forecast(SIZES, errors, [2000, 4000, 20_000], seed=2)


def test_forecast_of_a_perfect_classifier_is_perfect():
    (made,) = forecast(SIZES, np.zeros((3, len(SIZES))), [9000], seed=0)
    assert (made.accuracy, made.low, made.high) == (1, 1, 1)


def test_forecast_of_one_fold_is_refused():
    with pytest.raises(ClassifierError, match="at least 2 folds, got 1"):
        forecast(SIZES, np.zeros((1, len(SIZES))), [9000], seed=0)


def test_description_is_json():
    accuracy = 1 - observe(LAWS[0], n_folds=3)
    report = describe_learning_curve([int(n) for n in SIZES], accuracy, seed=0)
    assert json.loads(json.dumps(report)) == report
    np.testing.assert_allclose(report["accuracy"], accuracy.mean(axis=0))
    np.testing.assert_allclose(report["std"], accuracy.std(axis=0, ddof=1))
    assert report["n_folds"] == 3
    assert set(report["law"]) == {"a", "b", "c"}
    assert [f["n"] for f in report["forecast"]] == [4000, 8000, 20_000]
    assert set(report["forecast"][0]) == {"n", "accuracy", "low", "high"}


def test_description_of_too_little_has_no_forecast():
    one_fold = describe_learning_curve([10, 20, 40], np.array([[0.5, 0.6, 0.7]]), seed=0)
    assert one_fold["std"] is None
    assert one_fold["law"] is not None
    assert one_fold["forecast"] == []
    two_sizes = describe_learning_curve([10, 20], np.array([[0.5, 0.6], [0.5, 0.7]]), seed=0)
    assert two_sizes["law"] is None
    assert two_sizes["forecast"] == []


def test_sizes_run_from_a_tenth_to_all_at_equal_ratios():
    assert curve_sizes(10_000, 10) == [1000, 1585, 2512, 3981, 6310, 10_000]


@pytest.mark.parametrize(("n", "n_classes"), [(30, 10), (4, 2), (1, 1), (3, 5), (1119, 2)])
def test_sizes_of_few_rows(n, n_classes):
    sizes = curve_sizes(n, n_classes)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == n
    assert sizes[0] >= min(n, 2 * n_classes)


def test_subsets_are_nested_and_stratified():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [600, 300, 20])
    order = rng.permutation(len(y))[:800]
    counts = np.bincount(y[order])
    smaller: set[int] = set()
    for size in (6, 80, 200, 800):
        rows = nested_subset(order, y, size)
        assert len(rows) == size == len(set(rows.tolist()))
        assert smaller < set(rows.tolist()) <= set(order.tolist())
        smaller = set(rows.tolist())
        if size > 6:
            np.testing.assert_allclose(np.bincount(y[rows]), counts * size / 800, atol=3)
    assert np.bincount(y[nested_subset(order, y, 6)]).tolist() == [2, 2, 2]


def test_subset_takes_the_first_of_each_class():
    y = np.array([0, 0, 0, 1, 1, 1])
    order = np.array([5, 2, 4, 1, 0, 3])
    assert set(nested_subset(order, y, 4).tolist()) == {5, 4, 2, 1}

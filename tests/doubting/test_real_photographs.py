"""Photographs that are neither cats nor dogs, shown to who knows nothing else."""

import numpy as np
import pytest

from pipeline import TransferValues
from pipeline.artifacts import load_model, newest_fit
from pipeline.cache import read_features
from pipeline.classifiers import fold_scores
from pipeline.config import FitConfig
from pipeline.doubting.rejection import METHODS, find_rejection
from pipeline.doubting.sets import find_prediction_sets
from pipeline.splits import split_rows
from tests.conftest import REAL_DATA
from tests.test_real import succeed

# Dogs and a cat; that of the tennis ball is of a dog, too.
CATS_AND_DOGS = (
    *("Italian_greyhound", "Staffordshire_bullterrier", "Welsh_springer_spaniel", "Leonberg"),
    *("standard_poodle", "Persian_cat", "tennis_ball"),
)


@pytest.fixture(scope="module")
def fitted(real_data_of_module, tmp_path_factory):
    """A fit on 1,399 cats and dogs, their test rows' values and labels, and others' values."""
    folder = tmp_path_factory.mktemp("pets")
    words = ("--dataset", real_data_of_module / "cats-and-dogs")
    store = folder / succeed("extract", *words, cwd=folder)["store"]
    succeed("fit", cwd=folder)
    model = load_model(newest_fit(folder / "cache"))
    table = read_features(store)
    test = split_rows(table, config=FitConfig()).test
    others = [
        path
        for path in sorted((real_data_of_module / "imagenet-sample").iterdir())
        if not any(name in path.name for name in CATS_AND_DOGS)
    ]
    values = TransferValues(cache_dir=folder / "cache").fit_transform([str(p) for p in others])
    return store, model, table.features[test], table.labels[test], values


@pytest.fixture(scope="module")
def real_data_of_module():
    if not REAL_DATA.is_dir():
        pytest.skip(f"needs real photographs in {REAL_DATA} (or in $TRANSFER_VALUES_TEST_DATA)")
    return REAL_DATA


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_photographs_of_neither_are_unknown(fitted, method):
    store, model, test, _, others = fitted
    rejection = find_rejection(store, model, method=method)
    assert len(others) == 53
    assert np.mean(rejection.measure(others) > rejection.threshold) >= 0.8
    assert np.mean(rejection.measure(test) > rejection.threshold) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("coverage", [0.9, 0.99])
def test_sets_hold_the_right_class(fitted, coverage):
    store, model, test, labels, _ = fitted
    sets = find_prediction_sets(store, model, coverage=coverage)
    chosen = sets.choose(fold_scores(model.classifier, test, n_classes=2))
    covered = chosen[np.arange(len(labels)), labels]
    assert covered.mean() >= coverage - 2 * np.sqrt(coverage * (1 - coverage) / len(labels))
    assert chosen.sum(axis=1).mean() < 1.2

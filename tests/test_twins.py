import numpy as np
import pytest

from pipeline import twins
from pipeline.errors import FeatureMismatchError
from pipeline.metrics import wilson_interval
from pipeline.twins import Twins, describe_twins, find_twins, leak_price
from tests.feature_tables import hashes

D = 64


def find(test, train, **options):
    """Find twins among rows that all have bytes of their own, unless hashes are given."""
    return find_twins(
        test,
        train,
        **{
            "sha256_test": hashes(range(len(test))),
            "sha256_train": hashes(range(1000, 1000 + len(train))),
            **options,
        },
    )


def rows(n, seed=0):
    """Values as a network's: none below 0, all images alike, the columns of different scales."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-2, 2, D)
    return ((20 + rng.normal(size=(n, D))) * scale).astype(np.float32)


def test_a_row_a_little_changed_is_a_twin_and_unlike_rows_are_not():
    features = rows(200)
    test, train = features[:50].copy(), features[50:]
    noise = np.random.default_rng(1).normal(size=(10, D)).astype(np.float32)
    test[:10] = train[100:110] + 0.2 * noise * train.std(axis=0)
    found = find(test, train)
    assert found.twin.tolist() == [True] * 10 + [False] * 40
    assert found.nearest[:10].tolist() == list(range(100, 110))
    assert found.cosine[:10].min() > 0.9
    assert not found.exact.any()


def test_cosines_are_those_of_values_standardised_over_all_rows():
    test, train = rows(7), rows(30)[7:]
    both = np.concatenate([test, train]).astype(np.float64)
    z = (both - both.mean(axis=0)) / both.std(axis=0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    expected = z[:7] @ z[7:].T
    found = find(test, train)
    np.testing.assert_array_equal(found.nearest, expected.argmax(axis=1))
    np.testing.assert_allclose(found.cosine, expected.max(axis=1), atol=1e-4)


def test_chunks_do_not_show(monkeypatch):
    features = rows(90)
    whole = find(features[:31], features[31:])
    monkeypatch.setattr(twins, "TEST_CHUNK", 10)
    monkeypatch.setattr(twins, "TRAIN_CHUNK", 7)
    progress = []
    parts = find(features[:31], features[31:], on_progress=lambda *counts: progress.append(counts))
    np.testing.assert_array_equal(parts.nearest, whole.nearest)
    np.testing.assert_allclose(parts.cosine, whole.cosine, atol=1e-5)
    assert progress[-1] == (31 * 59, 31 * 59)
    assert progress == sorted(progress)


def test_the_same_bytes_are_twins_whatever_their_values():
    features = rows(30)
    found = find(
        features[:3],
        features[3:],
        sha256_test=hashes([7, 8, 9]),
        sha256_train=hashes([100, 8, 9, 8, *range(200, 223)]),
    )
    assert found.exact.tolist() == [False, True, True]
    assert found.nearest[1:].tolist() == [1, 2]
    assert found.cosine[1:].tolist() == [1, 1]
    assert found.twin.tolist() == [False, True, True]


def test_constant_values_do_not_matter_and_rows_without_values_have_no_twin():
    features = rows(40)
    expected = find(features[:10], features[10:])
    constant = np.full((40, 3), 0.1, np.float32)
    constant[::2] = np.nextafter(constant[::2], np.float32(1))  # constant but for rounding
    found = find(*np.split(np.hstack([features, constant]), [10]))
    np.testing.assert_allclose(found.cosine, expected.cosine, atol=1e-5)
    np.testing.assert_array_equal(found.nearest, expected.nearest)
    nothing = find(np.zeros((2, D), np.float32), np.zeros((3, D), np.float32))
    assert nothing.cosine.tolist() == [0, 0]
    assert not nothing.twin.any()


def test_no_rows():
    none, some = np.zeros((0, D), np.float32), rows(3)
    assert len(find(none, some).twin) == 0
    assert find(some, none).nearest.tolist() == [-1, -1, -1]
    assert not find(some, none).twin.any()


def test_values_of_another_width_are_refused():
    with pytest.raises(FeatureMismatchError, match="64 values, the training rows 63"):
        find(rows(2), rows(2)[:, :63])


def test_threshold_is_inclusive():
    features = rows(30)
    cosine = find(features[:5], features[5:]).cosine
    found = find(features[:5], features[5:], threshold=float(cosine[2]))
    assert found.twin.tolist() == (cosine >= cosine[2]).tolist()
    assert found.twin[2]


def test_leak_price_is_the_accuracy_that_twins_add():
    twin = np.array([True, True, False, False, False])
    price = leak_price(twin, np.array([True, True, True, False, False]))
    assert price.accuracy == 0.6
    assert price.accuracy_without == pytest.approx(1 / 3)
    assert price.price == pytest.approx(0.6 - 1 / 3)
    assert price.n_without == 3


def test_leak_price_is_unknown_where_every_row_has_a_twin():
    price = leak_price(np.ones(2, bool), np.ones(2, bool))
    assert price.accuracy_without is None
    assert price.price is None


def found_twins():
    return Twins(
        nearest=np.array([0, 1, 2, 1]),
        cosine=np.array([0.9, 1, 0.2, 0.95], np.float32),
        exact=np.array([False, True, False, False]),
        threshold=0.8,
    )


def describe(found, correct, **options):
    return describe_twins(
        found,
        np.array(correct),
        test=np.array([0, 2, 4, 6]),
        train=np.array([1, 3, 5]),
        paths=[f"{i}.jpg" for i in range(7)],
        labels=np.array([0, 0, 1, 1, 0, 0, 0]),
        interval=wilson_interval,
        **options,
    )


def test_description_is_json_with_the_closest_pairs_first():
    report = describe(found_twins(), [True, True, False, True])
    assert [(p["test"], p["train"], p["exact"], p["same_label"]) for p in report["pairs"]] == [
        ("2.jpg", "3.jpg", True, True),
        ("6.jpg", "3.jpg", False, False),
        ("0.jpg", "1.jpg", False, True),
    ]
    assert (report["n_exact"], report["n_near"], report["n_without"]) == (1, 2, 1)
    assert report["price"] == 0.75
    assert report["accuracy_without_ci"] == list(wilson_interval(0, 1))
    assert [type(v) for v in report["pairs"][0].values()] == [str, str, float, bool, bool]


def test_description_lists_no_more_than_the_limit():
    assert len(describe(found_twins(), [True] * 4, limit=2)["pairs"]) == 2


def test_description_without_a_row_that_has_no_twin():
    found = found_twins()
    all_twins = Twins(
        nearest=found.nearest, cosine=np.ones(4, np.float32), exact=found.exact, threshold=0.8
    )
    report = describe(all_twins, [True] * 4)
    assert report["accuracy_without"] is None
    assert report["accuracy_without_ci"] is None
    assert report["price"] is None

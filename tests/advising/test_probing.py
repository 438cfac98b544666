from dataclasses import replace

import numpy as np
import pytest

from pipeline.advising.judging import judge_likeness
from pipeline.advising.probing import order_rows, probe_layers
from tests.feature_tables import hashes, make_table


def blur(table, spread, *, seed=1):
    noise = np.random.default_rng(seed).normal(size=table.features.shape)
    return replace(table, features=(table.features + spread * noise).astype(np.float32))


def probe(late, early):
    return probe_layers(
        late, early, layer="block4_pool", n_wanted=len(late.labels), was_cut=False, seed=0
    )


def test_the_layer_with_the_clearer_values_is_found():
    sharp = make_table(n_per_class=60, spread=0.1)
    probed = probe(sharp, blur(sharp, 2.0))
    assert probed.late.accuracy > 0.95 > probed.early.accuracy
    assert probed.late.low <= probed.late.accuracy <= probed.late.high
    assert judge_likeness(probed) == "similar"
    assert judge_likeness(probe(blur(sharp, 2.0), sharp)) == "different"
    assert (probed.early.layer, probed.early.width) == ("block4_pool", 8)


def test_the_same_values_show_no_difference():
    table = make_table(n_per_class=40, spread=1.5)
    probed = probe(table, table)
    difference, low, high = probed.difference
    assert difference == 0
    assert low < 0 < high
    assert judge_likeness(probed) == "unknown"


def test_values_that_say_nothing_are_near_chance():
    table = make_table(n_per_class=60)
    noise = replace(
        table, features=np.random.default_rng(3).normal(size=(180, 8)).astype(np.float32)
    )
    probed = probe(noise, blur(noise, 1.0))
    assert probed.most_frequent == pytest.approx(1 / 3)
    assert judge_likeness(probed) == "unknown"


def test_copies_are_never_on_both_sides():
    """Each image is there twice, with a label of chance: only its twin could tell it."""
    labels = np.random.default_rng(0).integers(0, 3, 60).astype(np.int32)
    once = np.random.default_rng(1).normal(size=(60, 80)).astype(np.float32)
    table = replace(
        make_table(n_per_class=40),
        features=np.repeat(once, 2, axis=0),
        labels=np.repeat(labels, 2),
        sha256=hashes(np.repeat(np.arange(60), 2).tolist()),
        n_features=80,
    )
    assert probe(table, table).late.accuracy < 0.6


def test_too_few_images_are_not_tried():
    few = make_table(n_per_class=1)
    probed = probe(few, few)
    assert (probed.late, probed.early, probed.difference) == (None, None, None)
    assert probed.n_images == 3


def test_every_beginning_of_the_rows_has_all_classes():
    labels = np.repeat([0, 1, 2], [300, 60, 6])
    rows = np.arange(0, 366, 2)
    chosen = order_rows(labels, rows, 100, seed=0)
    assert len(set(chosen.tolist())) == 100
    assert set(chosen.tolist()) <= set(rows.tolist())
    shares = np.bincount(labels[chosen[:50]], minlength=3) / 50
    assert shares == pytest.approx(np.array([300, 60, 6]) / 366, abs=0.04)
    assert not np.array_equal(chosen, np.sort(chosen))
    assert len(order_rows(labels, rows, 10_000, seed=0)) == len(rows)

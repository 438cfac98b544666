from pathlib import Path

import pytest

from pipeline.cache import count_bytes, log_run, runs_jsonl
from pipeline.ranking.costs import Cost, measure_cost, say_machines, store_of
from tests.made_reports import make_report
from tests.made_stores import WIDTH, make_store

RUN = {"host": "vm", "engine": "openvino", "device": "cpu"}


def run(n_computed, *, start, total, **more):
    return {**RUN, "n_computed": n_computed, "ledger": {"start": start, "total": total}, **more}


def make_cost(**changes):
    fields = {"ms_per_image": 1.0, "megabytes": 1.0, "n_features": 10, "fit_seconds": 1.0}
    return Cost(**{**fields, "measured_on": frozenset(), **changes})


def test_an_image_costs_its_extraction_without_the_start_and_its_classification(tmp_path):
    store = make_store(tmp_path)
    log_run(store, run(100, start=5.0, total=6.0))
    log_run(store, run(300, start=1.0, total=2.0))
    cost = measure_cost(make_report(predict_seconds=0.08, n_test=40, fit_seconds=3.0), store)
    assert cost.ms_per_image == pytest.approx(1000 * 2 / 400 + 2)
    assert cost.megabytes == pytest.approx(count_bytes(store) / 1e6)
    assert (cost.n_features, cost.fit_seconds) == (WIDTH, 3.0)
    assert cost.measured_on == {"vm: openvino on cpu"}


def test_rows_that_were_copied_tell_nothing(tmp_path):
    store = make_store(tmp_path)
    log_run(store, run(0, start=0.1, total=4.0, n_copied=12))
    cost = measure_cost(make_report(), store)
    assert (cost.ms_per_image, cost.measured_on) == (None, frozenset())
    log_run(store, run(10, start=0.0, total=1.0))
    assert measure_cost(make_report(predict_seconds=0.0), store).ms_per_image == pytest.approx(100)


@pytest.mark.parametrize(
    "line",
    [
        {"n_computed": 10},
        {"n_computed": "10", "ledger": {"start": 0, "total": 1}},
        {"n_computed": 10, "ledger": {"start": 2, "total": 1}},
        {"n_computed": 10, "ledger": {"start": 0, "total": float("inf")}},
        {"n_computed": 10, "ledger": [0, 1]},
    ],
)
def test_lines_that_are_not_a_run_are_passed_over(tmp_path, line):
    store = make_store(tmp_path)
    log_run(store, line)
    assert measure_cost(make_report(), store).ms_per_image is None


def test_what_is_not_there_is_unknown(tmp_path):
    store = tmp_path / "pets" / "gone-abababab.zarr"
    cost = measure_cost(make_report(), store)
    assert (cost.ms_per_image, cost.megabytes, cost.n_features) == (None, None, None)
    assert not runs_jsonl(store).exists()


def test_the_order_is_time_then_features_then_fit_and_unknown_is_last():
    costs = [
        make_cost(),
        make_cost(fit_seconds=2.0),
        make_cost(n_features=20, fit_seconds=0.0),
        make_cost(n_features=None),
        make_cost(ms_per_image=2.0, n_features=1),
        make_cost(ms_per_image=None, n_features=1, fit_seconds=0.0),
    ]
    shuffled = [costs[i] for i in (5, 3, 1, 4, 2, 0)]
    assert sorted(shuffled, key=lambda cost: cost.order) == costs


def test_a_fit_lies_beside_its_store(tmp_path):
    folder = tmp_path / "pets" / "a.b+c-12345678.fits" / "svm-1"
    assert store_of(folder) == tmp_path / "pets" / "a.b+c-12345678.zarr"


def test_times_of_different_machines_are_said():
    here, there = (make_cost(measured_on=frozenset({f"{host}: fake on cpu"})) for host in "ab")
    assert say_machines([here, here, make_cost()]) is None
    assert "a: fake on cpu; b: fake on cpu" in say_machines([there, here])


def test_the_store_of_a_fit_in_the_current_folder_lies_above_it(tmp_path, monkeypatch):
    fit = tmp_path / "a-12345678.fits" / "logreg-1"
    fit.mkdir(parents=True)
    store = tmp_path / "a-12345678.zarr"
    monkeypatch.chdir(fit.parent)
    assert store_of(Path("logreg-1")) == store
    monkeypatch.chdir(fit)
    assert store_of(Path()) == store_of(Path("../logreg-2")) == store
    assert store_of(Path("/fit")) == Path("/.zarr")  # of none, but no error

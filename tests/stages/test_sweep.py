import csv
import io
import json

import numpy as np
import pytest

from pipeline.cache import log_run
from pipeline.config import FitConfig
from pipeline.errors import ConfigError, PipelineError
from pipeline.stages.sweep import Failure, check_table_name, summarise, write_sweep
from tests.made_reports import make_result, read_result, save_made_fit
from tests.made_stores import WIDTH, make_store

N = 200
FAILURE = Failure(model="resnet50", clf="", error="=The weights are not here.")


def add(cache_dir, *, model, n_wrong, ms=None, clf="svm", **options):
    store = cache_dir / "pets" / f"{model}-abababab.zarr"
    if ms is not None:
        make_store(cache_dir, at=store)
        log_run(store, {"n_computed": 1000, "ledger": {"start": 1.0, "total": 1.0 + ms}})
    right = np.arange(N) >= n_wrong
    options = {"predict_seconds": 0.0, **options}
    return read_result(
        save_made_fit(store, right, config=FitConfig(clf=clf), model=model, **options)
    )


def add_three(cache_dir):
    return [
        add(cache_dir, model="tiny", n_wrong=60, ms=1.0),
        add(cache_dir, model="small", n_wrong=12, ms=4.0),
        # The same right but for 2, of 200: within the error bar.
        add(cache_dir, model="large", n_wrong=11, ms=40.0),
    ]


def test_the_most_accurate_first_and_what_failed_last(tmp_path):
    sweep = summarise(add_three(tmp_path), cache_dir=tmp_path, failures=[FAILURE])
    assert [row.model for row in sweep.rows] == ["large", "small", "tiny", "resnet50"]
    first, *_, failed = sweep.rows
    assert (sweep.dataset, first.clf, first.accuracy) == ("pets", "svm", 189 / N)
    assert (first.accuracy_ci, first.balanced_accuracy) == ((0.769, 0.960), 0.9)
    assert (first.ms_per_image, first.n_features) == (40.0, WIDTH)
    assert (first.tune_seconds, first.fit_seconds) == (2.0, 0.5)
    assert first.megabytes > 0
    assert (first.error, first.folder.name[:4]) == (None, "svm-")
    assert (failed.accuracy, failed.folder, failed.error) == (None, None, FAILURE.error)


def test_the_best_and_the_cheapest_within_its_error_bar(tmp_path):
    sweep = summarise(add_three(tmp_path), cache_dir=tmp_path)
    assert (sweep.best.model, sweep.cheapest.model, sweep.notes) == ("large", "small", ())
    assert sweep.best is sweep.rows[0]
    assert sweep.cheapest is sweep.rows[1]


def test_of_equals_the_cheaper_comes_first(tmp_path):
    results = [
        add(tmp_path, model="b", n_wrong=9, ms=5.0),
        add(tmp_path, model="a", n_wrong=9, ms=2.0),
    ]
    sweep = summarise(results, cache_dir=tmp_path)
    assert [row.model for row in sweep.rows] == ["a", "b"]
    assert sweep.best is sweep.cheapest is sweep.rows[0]


def test_fits_that_were_not_kept_are_listed_but_not_compared(tmp_path):
    store = tmp_path / "pets" / "fake-abababab.zarr"
    make_store(tmp_path, at=store)
    results = [*add_three(tmp_path), make_result(accuracy=0.99)]
    sweep = summarise(results, cache_dir=tmp_path)
    assert sweep.best is sweep.rows[0]
    assert (sweep.best.accuracy, sweep.best.folder, sweep.cheapest) == (0.99, None, None)
    assert sweep.best.n_features == WIDTH
    assert "not all fits were kept" in sweep.notes[0]


def test_fits_that_cannot_be_compared_are_not_hidden(tmp_path):
    first, second, _ = add_three(tmp_path)
    (second.folder / "predictions.csv").write_text("")
    sweep = summarise([first, second], cache_dir=tmp_path)
    assert [row.model for row in sweep.rows] == ["small", "tiny"]
    assert sweep.cheapest is None
    assert "is not the file that fit wrote" in sweep.notes[0]


def test_other_test_rows_are_said(tmp_path):
    paths = [f"{row:03}.jpg" for row in range(1, N + 1)]
    labels = [min(row * 2 // N, 1) for row in range(1, N + 1)]
    results = [
        add(tmp_path, model="a", n_wrong=9),
        add(tmp_path, model="b", n_wrong=2, paths=paths, labels=labels),
    ]
    sweep = summarise(results, cache_dir=tmp_path)
    assert "the 199 that they have in common" in sweep.notes[0]
    assert sweep.best.model == "b"


def test_nothing_but_failures(tmp_path):
    sweep = summarise([], cache_dir=tmp_path, failures=[FAILURE])
    assert (sweep.best, sweep.cheapest, sweep.dataset, sweep.notes) == (None, None, "", ())
    assert len(sweep.rows) == 1


def test_csv_and_json_hold_the_same(tmp_path):
    sweep = summarise(add_three(tmp_path), cache_dir=tmp_path, failures=[FAILURE])
    fields = json.loads(json.dumps(sweep.to_dict(), allow_nan=False))
    lines = list(csv.DictReader(io.StringIO(sweep.to_csv(), newline="")))
    assert len(lines) == len(fields["rows"]) == 4
    for line, row in zip(lines, fields["rows"], strict=True):
        low, high = row.pop("accuracy_ci") or ("", "")
        assert (line.pop("accuracy_low"), line.pop("accuracy_high")) == (str(low), str(high))
        row["error"] = row["error"] and f"'{row['error']}"  # a spreadsheet must not run it
        assert line == {name: "" if v is None else str(v) for name, v in row.items()}
    assert [row["best"] for row in fields["rows"]] == [True, False, False, False]
    assert [row["cheapest"] for row in fields["rows"]] == [False, True, False, False]


def test_the_table_is_written_by_the_name_of_its_file(tmp_path):
    sweep = summarise(add_three(tmp_path), cache_dir=tmp_path)
    write_sweep(sweep, tmp_path / "new" / "table.CSV")
    assert (tmp_path / "new" / "table.CSV").read_bytes().decode() == sweep.to_csv()
    write_sweep(sweep, tmp_path / "table.json")
    assert json.loads((tmp_path / "table.json").read_text())["rows"][1]["cheapest"] is True


def test_a_table_that_cannot_be_written(tmp_path):
    sweep = summarise([], cache_dir=tmp_path, failures=[FAILURE])
    with pytest.raises(ConfigError, match=r"must end in \.csv or \.json"):
        check_table_name(tmp_path / "table.xlsx")
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(PipelineError, match="another --to"):
        write_sweep(sweep, tmp_path / "table.csv")

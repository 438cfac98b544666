import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.fit_tables import render_comparison, render_fits, render_sweep
from pipeline.ranking import CommonRows, Gap
from pipeline.stages.compare import ComparedFit, Comparison
from pipeline.stages.sweep import Sweep, SweepRow
from tests.made_reports import make_result
from tests.test_sheets import printed

LITE0, BOTH = "efficientnet-lite0", "efficientnet-lite0+efficientnet-lite2"
GAP = Gap(
    difference=-0.004, interval=(-0.012, 0.0041), n_only_this=20, n_only_best=28, p_value=0.671
)
WORSE = Gap(
    difference=-0.0225, interval=(-0.031, -0.0135), n_only_this=9, n_only_best=54, p_value=1e-7
)


def make_fit(**changes):
    fields = {
        "clf": "svm",
        "model": LITE0,
        "dataset": "cifar10-sample",
        "used": {"C": 0.1},
        "folder": Path("cache/cifar10-sample/x.fits/svm-1a2b3c4d"),
        "n_test": 2000,
        "accuracy": 0.901,
        "accuracy_ci": (0.887, 0.9135),
        "balanced_accuracy": 0.8954,
        "macro_f1": 0.8876,
        "ms_per_image": 5.245,
        "megabytes": 61.44,
        "n_features": 1280,
        "tune_seconds": 120.0,
        "fit_seconds": 8.4,
        "gap": None,
    }
    return ComparedFit(**{**fields, **changes})


def make_comparison(*fits, cheapest=0, **changes):
    fits = fits or (
        make_fit(),
        make_fit(clf="linear-svm", gap=GAP, ms_per_image=4.61),
        make_fit(clf="knn", gap=WORSE, ms_per_image=None, accuracy=0.8),
    )
    rows = CommonRows(
        y_true=np.zeros(0, np.intp),
        y_pred=np.zeros((len(fits), 0), np.intp),
        paths=(),
        class_names=(),
        n_tested=(0,) * len(fits),
    )
    fields = {"dataset": "cifar10-sample", "root": "/photos", "n_common": 2000, "notes": ()}
    fields["rows"] = rows  # which no table shows
    return Comparison(**{**fields, **changes}, fits=fits, cheapest=fits[cheapest])


def make_sweep(*, cheapest=1, **changes):
    rows = [
        SweepRow(
            model=model,
            clf=clf,
            accuracy=accuracy,
            accuracy_ci=(accuracy - 0.01, accuracy + 0.01),
            balanced_accuracy=accuracy,
            ms_per_image=ms,
            megabytes=61.44,
            n_features=1280,
            tune_seconds=20.0,
            fit_seconds=1.5,
        )
        for model, clf, accuracy, ms in (
            (BOTH, "svm", 0.918, 12.9),
            (LITE0, "linear-svm", 0.912, 4.61),
        )
    ]
    rows.append(SweepRow(model="resnet50", clf="", error="The weights are [not] here."))
    fields = {"dataset": "cifar10-sample", "rows": tuple(rows), "best": rows[0], "notes": ()}
    fields["cheapest"] = None if cheapest is None else rows[cheapest]
    return Sweep(**{**fields, **changes})


def lines_of(render, what, *, width=80, encoding="utf-8"):
    return printed(render(what, width=width, encoding=encoding), width=width, encoding=encoding)


def test_comparison():
    lines = lines_of(render_comparison, make_comparison(cheapest=1))
    assert lines == [
        "cifar10-sample · efficientnet-lite0 · 2,000 common test images",
        "",
        "  classifier         accuracy %         difference       p    ms    MB    s",
        "─" * 75,
        "  svm         90.1 [88.7, 91.4]               best          5.25  61.4  128",
        "* linear-svm  90.1 [88.7, 91.4]  -0.4 [-1.2, +0.4]   0.671  4.61  61.4  128",
        "  knn         80.0 [88.7, 91.4]  -2.2 [-3.1, -1.4]  <0.001     -  61.4  128",
        "",
        "* linear-svm is the cheapest within the error bar of the best, svm, at 4.61 ms",
        "an image instead of 5.25.",
        "",
        "95 % intervals; difference: from the best in points, paired bootstrap; p:",
        "McNemar's exact test, corrected by Holm; ms: an image's transfer values and",
        "classification; MB: the store on disk; s: tuning and fit.",
    ]


def test_a_wide_terminal_shows_everything():
    lines = lines_of(render_comparison, make_comparison(), width=120)
    assert lines[2].split()[-7:] == ["ms", "MB", "s", "values", "balanced", "macro", "F1"]
    assert lines[4].split()[-3:] == ["1,280", "89.5", "88.8"]


def test_a_narrow_terminal_keeps_what_matters_most():
    lines = lines_of(render_comparison, make_comparison(), width=50)
    assert lines[3].split() == ["classifier", "accuracy", "%", "difference"]
    assert lines[5].endswith("90.1 [88.7, 91.4]               best")
    assert "McNemar" not in " ".join(lines)


def test_models_are_named_where_they_differ():
    fits = (make_fit(model=BOTH), make_fit(gap=GAP))
    lines = lines_of(render_comparison, make_comparison(*fits, cheapest=1))
    assert lines[0] == "cifar10-sample · 2,000 common test images"
    assert [line[:21].rstrip() for line in lines[4:9]] == [
        "  svm",
        "  efficientnet-lite0+",
        "  efficientnet-lite2",
        "* svm",
        "  efficientnet-lite0",
    ]
    assert f"* {LITE0} svm is the cheapest within the error bar of the best, {BOTH}" in " ".join(
        lines[10:12]
    )


def test_the_same_classifier_twice_is_named_by_its_folder():
    fits = (make_fit(), make_fit(folder=Path("svm-99999999"), gap=GAP), make_fit(clf="knn"))
    lines = lines_of(render_comparison, make_comparison(*fits))
    assert [line.split()[0] for line in lines[5:7]] == ["svm-99999999", "knn"]
    assert "* svm-1a2b3c4d is the best, and nothing within its error bar is cheaper." in lines


def test_a_cost_that_is_not_known_is_not_told():
    fits = (make_fit(ms_per_image=None), make_fit(clf="knn", gap=GAP, ms_per_image=3.0))
    lines = lines_of(render_comparison, make_comparison(*fits, cheapest=1))
    assert "* knn is the cheapest within the error bar of the best, svm." in lines


def test_notes_are_below():
    lines = lines_of(render_comparison, make_comparison(notes=("One [thing].", "Another.")))
    assert lines[-3:] == ["", "- One [thing].", "- Another."]


def test_sweep():
    lines = lines_of(render_sweep, make_sweep())
    assert lines[:8] == [
        "cifar10-sample",
        "",
        "  model                classifier         accuracy %    ms    MB     s  values",
        "─" * 78,
        "  efficientnet-lite0+  svm         91.8 [90.8, 92.8]  12.9  61.4  21.5   1,280",
        "  efficientnet-lite2",
        "* efficientnet-lite0   linear-svm  91.2 [90.2, 92.2]  4.61  61.4  21.5   1,280",
        "  resnet50             all                    failed     -     -     -       -",
    ]
    assert lines[9].startswith(f"* {LITE0} linear-svm is the cheapest within the error bar of")
    assert lines[-1] == "- resnet50: The weights are [not] here."


def test_sweep_whose_cheapest_is_not_known():
    lines = lines_of(render_sweep, make_sweep(cheapest=None, notes=("Not all were kept.",)))
    assert "*" not in "".join(lines)
    assert lines[-1] == "- Not all were kept."


def test_sweep_in_which_everything_failed():
    sweep = make_sweep()
    failed = replace(sweep, rows=sweep.rows[-1:], best=None, cheapest=None, dataset="")
    lines = lines_of(render_sweep, failed)
    assert lines[0].split()[0] == "model"
    assert "cheapest" not in " ".join(lines)


def test_fits():
    results = [
        make_result(clf="ridge", accuracy=0.8, log_loss=None, tuning=None, settings={"used": {}}),
        make_result(
            clf="svm",
            accuracy=0.95,
            tune_seconds=100.0,
            fit_seconds=23.4,
            settings={"used": {"C": 0.0316228, "gamma": 0.00081234, "kernel": "[b]rbf"}},
        ),
    ]
    assert lines_of(render_fits, results, width=100) == [
        "pets · fake · 40 test images",
        "",
        "classifier         accuracy %  in tuning  balanced  log loss     s  fitted with",
        "─" * 100,
        "svm         95.0 [76.9, 96.0]       91.0      90.0     0.300   123  C=0.0316, "
        "gamma=0.000812,",
        " " * 68 + "kernel=[b]rbf",
        "ridge       80.0 [76.9, 96.0]          -      90.0         -  2.50",
        "",
        "95 % intervals; in tuning: accuracy in cross-validation on training images; s: tuning and "
        "fit.",
    ]
    assert lines_of(render_fits, results)[2].split()[:5] == [
        *("classifier", "accuracy", "%", "in", "tuning")
    ]


def test_the_score_in_tuning_is_that_of_the_value_that_was_chosen():
    tuning = {"scoring": "balanced accuracy", "values": [1, 2], "means": [0.7, 0.701], "best": 1}
    lines = lines_of(render_fits, [make_result(tuning=tuning)])
    assert lines[4].split()[4] == "70.0"
    assert "in tuning: balanced accuracy in cross-validation" in lines[6]


RENDERED = [
    (render_comparison, make_comparison(dataset="ünï\n", notes=("→",))),
    (render_comparison, make_comparison(make_fit(model=BOTH), make_fit(gap=WORSE))),
    (render_sweep, make_sweep(dataset="ünï\n", notes=("→",))),
    (render_fits, [make_result(dataset="ünï\n"), make_result(clf="knn")]),
]


@pytest.mark.parametrize(("render", "what"), RENDERED)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("width", [50, 80, 120])
def test_every_terminal_can_show_it(render, what, encoding, width):
    lines = lines_of(render, what, width=width, encoding=encoding)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)  # no number is cut off


def test_it_loads_nothing_heavy():
    code = (
        "import sys, pipeline.fit_tables\n"
        "heavy = {'pandas', 'zarr', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from pipeline.config import FitConfig, Gates
from pipeline.printing import render_headline, render_report
from pipeline.stages.fit import fit_table
from tests.feature_tables import hashes, make_table


def report_of(n_classes, *, spread=0.8, n_per_class=20, clf="logreg", **columns):
    table = make_table(
        n_classes=n_classes, n_per_class=n_per_class, spread=spread, n_features=16, **columns
    )
    return fit_table(table, FitConfig(clf=clf)).report


def printed(report, *, width=80, encoding="utf-8"):
    """Print a report as into a file of some encoding, and return what the file holds."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    console = Console(file=file, width=width)
    console.print(render_report(report, width=width, encoding=encoding))
    file.flush()
    return raw.getvalue().decode(encoding)


def section(text, title):
    """Return the lines below a title, up to the next blank line."""
    _, _, rest = text.partition(f"\n{title}")
    assert rest, f"no section {title!r}"
    return rest.split("\n\n")[0].splitlines()


def test_summary_says_what_people_look_for():
    report = report_of(
        2,
        n_found=42,
        skipped={"not an image": 2},
        oddities={"grey": 3, "with a palette": 11},
    )
    text = printed(report)
    low, high = report.intervals["accuracy"]
    shown = f"{100 * report.accuracy:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    assert text.splitlines()[0] == "clouds · fake · logreg"
    for expected in (
        shown,
        "balanced accuracy",
        "50.0 %  most frequent class",
        "42 = 32 training + 8 test + 2 skipped",
        "drawn: stratified 20 %, seed 42",
        "log loss",
        "calibration error",
        f"ROC AUC {report.roc_auc:.3f} average precision {report.average_precision:.3f}",
        f"C = {report.settings['used']['C']:g}",
    ):
        assert expected in text or expected in " ".join(text.split())
    assert section(text, "Skipped images")[1].split() == ["2", "not", "an", "image"]
    unusual = [line.split() for line in section(text, "Unusual images")[1:]]
    assert unusual == [["11", "with", "a", "palette"], ["3", "grey"]]


def test_what_did_not_happen_is_not_listed():
    text = printed(report_of(2, oddities={"grey": 40}))  # of 40: what all are is not unusual
    assert "Skipped images" not in text
    assert "Unusual images" not in text


def test_rankings_that_are_not_known_are_not_listed():
    report = report_of(2)
    assert "ROC AUC" in printed(report)
    unknown = replace(report, roc_auc=None, average_precision=None)
    assert "ROC AUC" not in printed(unknown)


def test_headline_is_one_line_of_ascii():
    report = replace(report_of(2), dataset="ünï\n")
    line = render_headline(report)
    assert line.isascii()
    assert "\n" not in line
    assert f"{100 * report.accuracy:.1f} % [" in line


@pytest.mark.parametrize("n_classes", [2, 10])
def test_matrix_rows_are_the_true_classes(n_classes):
    report = report_of(n_classes)
    rows = section(printed(report, width=120), "Confusion matrix")[3:]
    assert len(rows) == n_classes
    for row, counts, scores in zip(rows, report.confusion_matrix, report.per_class, strict=True):
        assert scores["name"] in row
        *shown, recall = row.split(scores["name"])[1].split()
        assert [0 if cell == "·" else int(cell) for cell in shown] == list(counts)
        assert recall == f"{100 * scores['recall']:.1f}"


def test_columns_are_numbered_where_names_do_not_fit():
    names = tuple(f"a rather long name {i}" for i in range(10))
    text = printed(report_of(10, class_names=names))
    head, *_ = section(text, "Confusion matrix")[1:]
    assert head.split() == [*map(str, range(1, 11)), "recall"]
    assert "10 a rather long name 9" in text


@pytest.mark.parametrize(("n_classes", "width"), [(120, 200), (20, 40)])
def test_matrix_that_would_not_be_readable_is_replaced_and_said(n_classes, width):
    text = printed(report_of(n_classes, n_per_class=10, spread=1.5), width=width)
    flat = " ".join(text.split())
    assert f"not shown: {n_classes} classes" in flat
    assert "worst pairs are below" in flat
    assert section(text, "Most confused")


def test_many_classes_show_the_worst_and_count_the_rest():
    report = report_of(120, n_per_class=10, spread=1.5)
    rows = section(printed(report), "Worst 15 classes")
    assert "105 more in metrics.json" in rows[0]
    worst = sorted(scores["f1"] for scores in report.per_class)[:15]
    assert [row.split()[-4] for row in rows[3:]] == [f"{100 * f1:.1f}" for f1 in worst]


@pytest.mark.parametrize("n_classes", [2, 10, 120, 1000])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_is_wider_than_the_terminal(n_classes, width):
    report = report_of(n_classes, n_per_class=3, clf="knn")
    assert max(map(len, printed(report, width=width).splitlines())) <= width


def test_confusions_carry_their_count_and_share():
    report = report_of(10, spread=2.0)
    first = report.confused_pairs[0]
    row = section(printed(report), "Most confused")[3]
    share = 100 * first["count"] / 4
    assert f"{first['true']} → {first['predicted']}" in row
    assert row.split()[-3:] == [str(first["count"]), f"{share:.1f}", "%"]


@pytest.mark.parametrize("deep", [False, True])
def test_paths_of_mistakes_are_whole(deep):
    folder = "a/long/way/down/to/the/photographs/of/the/expedition" if deep else "x"
    paths = tuple(f"{folder}/{i}.jpg" for i in range(200))
    report = report_of(10, spread=2.0, paths=paths)
    text = printed(report, width=80)
    assert len(report.mistakes) >= 5
    for mistake in report.mistakes[:5]:
        assert any(line.rstrip().endswith(mistake["path"]) for line in text.splitlines())


def test_perfect_answers_have_no_mistakes_to_show():
    text = printed(report_of(2, spread=0.01))
    assert "100.0 %" in text
    assert "Most confused" not in text
    assert "mistakes" not in text


HOSTILE = (
    "[red]x[/red]",
    "\x1b[31mred",
    "line\nbreak",
    "caf\udce9",
    "猫" * 30,
    "",
    "[/]",
    "\u202e",
)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_fault_57_hostile_names_are_shown_and_do_nothing(encoding, width):
    paths = tuple(f"{HOSTILE[i % 8]}/{i}" for i in range(160))
    report = report_of(8, spread=3.0, class_names=HOSTILE, paths=paths, skipped={"\x07odd": 1})
    report = replace(report, oddities={"[red]\x1b[31mgrey": 2})
    report = replace(report, notes=("a [bold]note[/bold] \x1b[2J",), dataset="\u2028[i]")
    text = printed(report, width=width, encoding=encoding)
    assert all(character.isprintable() or character == "\n" for character in text)
    if width == 120:
        for shown in ("[red]x[/red]", "\\x1b[31mred", "line\\nbreak", "[/]", "[bold]note[/bold]"):
            assert shown in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_poor_encodings_lose_no_number(encoding):
    report = report_of(3, spread=2.0)
    rich, poor = printed(report), printed(report, encoding=encoding)

    def numbers(text):
        return [word for word in text.split() if word[0].isdigit()]

    assert numbers(poor) == numbers(rich)


def test_no_colour_in_a_file_and_colour_on_a_terminal():
    report = report_of(3)
    assert "\x1b" not in printed(report)
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=True, color_system="standard").print(
        render_report(report, width=80)
    )
    assert "\x1b[" in file.getvalue()


def test_unknown_recall_is_a_dash():
    table = make_table(n_per_class=10)
    split = np.where(np.arange(30) % 5 == 0, 3, 1)
    split[table.labels == 1] = 1
    report = fit_table(replace(table, split=split.astype(np.uint8)), FitConfig()).report
    row = section(printed(report), "Confusion matrix")[4]
    assert row.split() == ["class", "1", "·", "·", "·", "-"]


def test_cross_validation_and_decision_scores_are_shown():
    table = make_table(spread=2.0)
    report = fit_table(table, FitConfig(clf="svm", cv=3, class_weight="balanced")).report
    text = printed(report)
    assert "3-fold accuracy" in text
    assert "class weight balanced" in " ".join(text.split())
    assert "probability" in section(text, "Most confident mistakes")[1]
    assert (
        "decision"
        in section(printed(replace(report, score_kind="decision")), "Most confident mistakes")[1]
    )


def test_the_tuning_curve_marks_what_was_taken():
    report = fit_table(make_table(n_per_class=40, spread=1.5), FitConfig()).report
    lines = section(printed(report), "Tuning")
    assert "5 folds of" in lines[0]
    assert lines[1].split() == ["C", "accuracy"]
    rows = [line for line in lines[3:] if line.strip()]
    assert len(rows) == len(report.tuning["values"])
    (taken,) = [line for line in rows if "taken" in line]
    assert float(taken.split()[0]) == report.tuning["best"]


def test_twins_suspects_and_the_learning_curve_are_shown():
    table = make_table(n_per_class=60, spread=0.5)
    content = np.arange(180)
    content[:120:3] = content[1:121:3]
    labels = table.labels.copy()
    labels[[5, 65]] = 2
    split = np.where(np.arange(180) % 3 == 0, 3, 1).astype(np.uint8)
    changed = replace(table, sha256=hashes(content), split=split, labels=labels)
    report = fit_table(changed, FitConfig(learning_curve=True)).report
    text = printed(report)
    assert "40 exact" in " ".join(section(text, "Twins"))
    assert "Leak price" in " ".join(section(text, "Twins"))
    suspects = section(text, "Suspect labels")
    assert any("0/0005.jpg" in line and "class 2" in line for line in suspects)
    curve = section(text, "Learning curve")
    assert sum("forecast" in line for line in curve) == 3


def test_a_gate_that_was_missed_stands_out():
    table = make_table(spread=2.0)
    report = fit_table(table, FitConfig(), gates=Gates(min_accuracy=1.0)).report
    assert "at least 1 was demanded: not usable" in " ".join(printed(report).split())


def test_what_a_streamed_fit_used_need_not_be_a_number():
    used = {"C": 0.5, "class_weight": None, "n_passes": 12, "kind": "newton"}
    report = report_of(2)
    text = printed(replace(report, settings={**report.settings, "used": used}))
    assert "C = 0.5, n_passes = 12" in " ".join(text.split())
    assert "None" not in text


def test_the_verdict_ends_the_report_in_any_encoding():
    report = report_of(2)
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    sentences = ("All is named correctly.", "Most often Käse is taken for \x1b[31mHam.")
    Console(file=file, width=60).print(
        render_report(report, width=60, encoding="ascii", verdict=sentences)
    )
    file.flush()
    last = raw.getvalue().decode("ascii").split("\nIn short\n")[1]
    assert " ".join(last.split()) == (
        "All is named correctly. Most often K\\xe4se is taken for \\x1b[31mHam."
    )
    assert "In short" not in printed(report)

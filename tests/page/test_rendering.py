import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from pipeline.page import (
    FORMATS,
    MATRIX_AS_TABLE,
    format_value,
    render_comparison,
    render_page,
    resolve,
)
from pipeline.records import PageContent, printable
from pipeline.showing.verdict import write_verdict
from tests.made_reports import make_report
from tests.page.made_comparisons import make_comparison
from tests.page.made_pages import make_hostile_page, make_page
from tests.page.reading import digits_outside, read_data, read_page

SECTIONS = (
    *("answer", "matrix", "classes", "mistakes", "map", "curves", "checks", "skipped", "data"),
    "origin",
)


def make_decisions():
    """A page about a classifier without probabilities."""
    content = make_page(4, n_test=80)
    scores = np.log(content.rows.scores + 1e-9)
    return replace(
        content,
        report=replace(
            content.report,
            score_kind="decision",
            log_loss=None,
            calibration_error=None,
            calibration=(),
            mistakes=tuple({**each, "score": -1.5} for each in content.report.mistakes),
        ),
        rows=replace(content.rows, scores=scores),
    )


def make_bare():
    """A page about a fit of which nothing is known that need not be."""
    content = make_page(2, n_test=20)
    report = replace(
        make_report(),
        mistakes=(),
        confused_pairs=(),
        tuning=None,
        calibration=(),
        baselines=(),
        roc_auc=None,
        average_precision=None,
    )
    return PageContent(report=report, rows=content.rows)


PAGES = {
    "2": lambda: make_page(2, n_test=90),
    "10": lambda: make_page(10, n_test=300),
    "120": lambda: make_page(120, n_test=360, n_pictures=50),
    "1000": lambda: make_page(1_000, n_test=1_500, n_pictures=20),
    "decisions": make_decisions,
    "bare": make_bare,
    "hostile": make_hostile_page,
}


@pytest.fixture(scope="module")
def made():
    contents = {name: make() for name, make in PAGES.items()}
    return {name: (content, render_page(content)) for name, content in contents.items()}


@pytest.fixture(params=PAGES)
def any_page(request, made):
    content, html = made[request.param]
    return content, read_page(html)


def test_every_number_is_the_one_in_metrics_json(any_page):
    content, page = any_page
    fields = json.loads(json.dumps(content.report.to_dict()))
    found = page.find("data", class_="metric")
    assert len(found) > 20
    for element in found:
        marks = element.attributes
        value = resolve(fields, marks["data-metric"])
        assert json.loads(marks["value"]) == value
        assert element.text == format_value(value, marks["data-format"])


def test_what_is_counted_is_counted_rightly(any_page):
    content, page = any_page
    matrix = np.array(content.report.confusion_matrix)
    expected = {
        "right": np.trace(matrix),
        "n_classes": len(matrix),
        "n_skipped": sum(content.report.skipped.values()),
        "n_twins": 6,
        **{
            f"row_share.{i}.{j}": matrix[i, j] / matrix[i].sum()
            for i, j in np.argwhere(matrix).tolist()
        },
    }
    found = page.find("data", class_="derived")
    assert len(found) >= 3
    for element in found:
        value = expected[element.attributes["data-derived"]]
        assert json.loads(element.attributes["value"]) == value
        assert element.text == format_value(value, element.attributes["data-format"])


def _paths_of(report):
    """The paths of all numbers that a page of few classes should say."""
    fields = report.to_dict()
    yield from ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error")
    yield from ("roc_auc", "average_precision", "n_found", "n_train", "n_test")
    yield from ("tune_seconds", "fit_seconds", "predict_seconds", "n_label_errors")
    for name in fields["intervals"]:
        yield from (f"intervals.{name}.{k}" for k in (0, 1))
    n_classes = len(report.class_names)
    yield from (f"confusion_matrix.{i}.{j}" for i in range(n_classes) for j in range(n_classes))
    for k in range(n_classes):
        shares = ("recall", "precision", "f1", "roc_auc", "average_precision")
        yield from (f"per_class.{k}.{key}" for key in (*shares, "n_test", "n_train"))
        for key in ("recall_ci", "precision_ci"):
            yield from (f"per_class.{k}.{key}.{end}" for end in (0, 1))
    for k in range(len(report.baselines)):
        ends = ("accuracy", "accuracy_ci.0", "accuracy_ci.1", "n_train", "n_test")
        yield from (f"baselines.{k}.{key}" for key in ends)
    shown = ("n_exact", "n_near", "n_without", "threshold", "price", "accuracy_without")
    yield from (f"twins.{key}" for key in shown)
    yield from (f"twins.pairs.{k}.cosine" for k in range(len(report.twins["pairs"])))
    yield from (f"mistakes.{k}.score" for k in range(len(report.mistakes)))
    yield from (f"label_errors.{k}.score" for k in range(len(report.label_errors)))
    yield from (f"confused_pairs.{k}.count" for k in range(min(20, len(report.confused_pairs))))
    for name, keys in (("calibration", ("low", "high", "n", "confidence", "accuracy")),):
        yield from (f"{name}.{k}.{key}" for k in range(len(fields[name])) for key in keys)
    for name, keys in (
        ("tuning", ("values", "means", "stds")),
        ("learning_curve", ("sizes", "accuracy", "std")),
        ("loss_curve", ("loss", "validation_accuracy")),
    ):
        yield from (f"{name}.{key}.{k}" for key in keys for k in range(len(fields[name][key])))
    yield from ("tuning.best", "tuning.n_folds", "tuning.n_rows")
    yield from (f"learning_curve.forecast.0.{key}" for key in ("n", "accuracy", "low", "high"))
    yield from ("skipped.corrupt", "skipped.zero bytes", "oddities.grey")


@pytest.mark.parametrize("name", ["2", "10"])
def test_no_number_is_missing(made, name):
    content, html = made[name]
    page = read_page(html)
    said = {each.attributes["data-metric"] for each in page.find("data", class_="metric")}
    assert set(_paths_of(content.report)) - said == set()


def test_cross_validation_is_said():
    cv = {
        "n_folds": 5,
        "mean": 0.91,
        "std": 0.01,
        "scores": [0.9, 0.92],
        "accuracy": 0.912,
        "accuracy_ci": [0.9, 0.92],
        "n_images": 160,
    }
    page = read_page(render_page(replace(make_bare(), report=make_report(cv=cv, tuning=None))))
    said = {each.attributes["data-metric"] for each in page.find("data", class_="metric")}
    assert {"cv.accuracy", "cv.accuracy_ci.0", "cv.accuracy_ci.1"} <= said


@pytest.mark.parametrize("anchor", ["answer", "matrix", "classes", "checks", "skipped", "data"])
def test_no_digit_stands_outside_of_a_number_or_a_name(any_page, anchor):
    (section,) = any_page[1].find("section", id=anchor)
    texts = [text for text in digits_outside(section) if text not in ("F1",)]
    assert texts == []


def test_each_format_is_used(made):
    pages = [*(html for _, html in made.values()), render_comparison(make_comparison())]
    used = {
        each.attributes["data-format"]
        for html in pages
        for kind in ("metric", "derived")
        for each in read_page(html).find("data", class_=kind)
    }
    assert used == set(FORMATS)


def test_the_answer_is_one_sentence(made):
    page = read_page(made["2"][1])
    (sentence,) = page.find("h1")
    assert re.fullmatch(
        r"\d+ of 90 test images are named correctly: \d+\.\d %, between \d+\.\d and \d+\.\d % "
        r"with 95 % confidence\.",
        sentence.text.replace("\N{NO-BREAK SPACE}", " "),
    )


def test_the_verdict_follows_with_its_numbers_marked(made):
    content, html = made["10"]
    (verdict,) = read_page(html).find("p", class_="verdict")
    text = " ".join(verdict.text.split())
    assert text.startswith("That is ")
    assert text == " ".join(write_verdict(content.report)[1:])
    assert len(verdict.find("data")) >= 4


def test_a_page_without_a_verdict_has_no_place_for_one(made):
    assert not read_page(made["bare"][1]).find("p", class_="verdict")


def test_a_gate_that_is_not_met_is_said_first(made):
    gates = (
        {"name": "accuracy", "least": 0.95, "found": 0.9, "met": False},
        {"name": "recall of cat", "least": 0.5, "found": None, "met": False},
    )
    page = read_page(
        render_page(replace(make_bare(), report=make_report(gates=gates, tuning=None)))
    )
    first, second = page.find("li", class_="missed")
    assert " ".join(first.text.split()) == (
        "Not met: accuracy is 90.0 %; at least 95.0 % was demanded."
    )
    assert "is unknown, for it has no test image" in second.text


def test_sections_have_anchors_and_the_navigation_has_them_all(any_page):
    _, page = any_page
    anchors = [section.attributes["id"] for section in page.find("section")]
    (nav,) = page.find("nav")
    assert [link.attributes["href"] for link in nav.find("a")] == [f"#{each}" for each in anchors]
    assert [each for each in SECTIONS if each in anchors] == anchors


def test_what_does_not_exist_is_left_out(made):
    page = read_page(made["bare"][1])
    anchors = {section.attributes["id"] for section in page.find("section")}
    assert anchors == set(SECTIONS) - {"mistakes", "map", "curves"}
    (checks,) = page.find("section", id="checks")
    assert "Nobody looked for test images that are in training" in checks.text


def test_a_page_without_a_canvas_has_no_bokeh(made):
    assert len(made["bare"][1]) < 100_000
    assert "Bokeh" not in read_data(read_page(made["bare"][1]))["canvases"]
    assert made["2"][1].count("BokehJS") > 0


@pytest.mark.parametrize(("n_classes", "tables"), [(MATRIX_AS_TABLE, 1), (MATRIX_AS_TABLE + 1, 0)])
def test_a_large_matrix_is_a_canvas(n_classes, tables):
    content = replace(make_page(n_classes, n_test=120, n_pictures=0), maps=())
    page = read_page(render_page(content))
    assert len(page.find("table", id="confusion")) == tables
    assert len(page.find(id="matrix-canvas")) == 1 - tables
    assert list(read_data(page)["canvases"]) == ["matrix"] * (1 - tables)


def test_the_structure_is_sound(any_page):
    _, page = any_page
    ids = [each.attributes["id"] for each in page.walk() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for image in page.find("img"):
        assert image.attributes["alt"].strip()
        assert image.attributes["src"].startswith("data:image/webp;base64,")
    for button in page.find("button"):
        assert button.attributes["type"] in ("button", "submit")
    for table in page.find("table"):
        assert table.find("caption")
        assert table.find("th")
    for label in page.find("label"):
        assert label.find("input") or label.find("select")
    assert len(page.find("h1")) == 1


def test_only_hashed_scripts_can_run(any_page):
    _, page = any_page
    (policy,) = page.find("meta", http_equiv="Content-Security-Policy")
    rules = policy.attributes["content"]
    scripts = [each for each in page.find("script") if "type" not in each.attributes]
    hashes = [
        base64.b64encode(hashlib.sha256(each.text.encode()).digest()).decode() for each in scripts
    ]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    assert rules == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
        f"{allowed}; base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_loaded_and_nothing_runs_from_an_attribute(any_page):
    _, page = any_page
    for element in page.walk():
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (element.tag, name)
            if name in ("src", "href", "xlink:href", "action", "srcset"):
                assert value.startswith(("data:", "#")), (element.tag, value[:80])


def test_hostile_text_is_text(made):
    content, html = made["hostile"]
    page = read_page(html)
    html.encode("utf-8")
    names = {each.text for each in page.find("bdi", class_="name")}
    assert {printable(name) for name in content.report.class_names} <= names
    assert not [each for each in page.walk() if each.attributes.get("src") == "x"]
    assert len([each for each in page.find("script") if "type" not in each.attributes]) == 2
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "window.hacked" not in "".join(each.text for each in page.find("script")[1:])
    data = read_data(page)
    assert data["names"] == [printable(name) for name in content.report.class_names]
    assert data["maps"][0]["method"] == content.maps[0].method


def test_commands_stand_line_by_line(made):
    content, html = made["2"]
    (commands,) = read_page(html).find("pre", id="commands")
    assert commands.text == "\n".join(content.commands)


def test_a_thumbnail_is_there_once(made):
    content, html = made["120"]
    for row in list(content.thumbnails)[:20]:
        if content.rows.paths[row] not in content.pictures:
            assert html.count(base64.b64encode(content.thumbnails[row]).decode()) == 1


def test_the_same_content_makes_the_same_page(made):
    content, html = made["120"]
    assert render_page(content) == html


def test_ten_thousand_rows_stay_below_ten_megabytes():
    content = make_page(10, n_test=10_000, n_pictures=0)
    noise = np.random.default_rng(0).bytes(4_400_000)
    thumbnails = {row: noise[440 * row : 440 * (row + 1)] for row in range(10_000)}
    maps = (*content.maps, replace(content.maps[0], method="UMAP"))
    html = render_page(replace(content, thumbnails=thumbnails, maps=maps))
    assert len(html.encode()) < 10_000_000


def test_why_mistakes_are_not_explained_is_said_beside_them():
    page = read_page(render_page(replace(make_page(2, n_test=40), unexplained="It is not linear.")))
    (section,) = page.find("section", id="mistakes")
    assert "It is not linear." in section.text


def test_answers_that_are_certain_are_not_among_the_least_certain():
    content = make_page(2, n_test=40)
    sure = replace(content.rows, scores=np.where(content.rows.scores > 0.5, 0.995, 0.005))
    assert "Least certain" in render_page(content)
    assert "Least certain" not in render_page(replace(content, rows=sure))


def test_the_settings_and_the_folds_are_said():
    cv = {
        "n_folds": 2,
        "mean": 0.91,
        "std": 0.01,
        "scores": [0.9, 0.92],
        "accuracy": 0.912,
        "accuracy_ci": [0.9, 0.92],
        "n_images": 160,
    }
    report = make_report(cv=cv, settings={"used": {"C": 0.01, "gamma": None}, "seed": 42})
    (section,) = read_page(render_page(replace(make_bare(), report=report))).find(
        "section", id="origin"
    )
    said = {each.attributes["data-metric"] for each in section.find("data", class_="metric")}
    assert {"settings.used.C", "settings.seed", "cv.n_folds", "cv.scores.1"} <= said
    assert "gamma" not in section.text


def test_an_explanation_has_its_colours_explained(made):
    (section,) = read_page(made["10"][1]).find("section", id="mistakes")
    assert "Orange spoke for the answer, blue for the true class." in " ".join(section.text.split())
    assert len(section.find("img", class_="why")) == 6

from dataclasses import replace

import pytest

from pipeline.config import EXPORTS
from pipeline.model_card import CardFacts, escape, render_card
from pipeline.records import SelfCheck
from tests.made_reports import make_report

CHECK = SelfCheck(
    n_images=32, n_classes=2, n_shrunk=0, largest=3.3e-5, largest_in_full=None, tolerance=1e-3
)
FACTS = CardFacts(
    file="m.onnx",
    format="onnx",
    n_bytes=1000,
    check=CHECK,
    kept="",
    source=(("vgg16", "imagenet", "https://example.org/vgg16.h5"),),
    image_sizes=(224,),
)


def about(report, **changes):
    return {
        "output": "probabilities",
        "class_names": list(report.class_names),
        "fit": "logreg-12345678",
        "created": "2026-01-01T00:00:00+00:00",
        "versions": {"keras": "3.15"},
        **changes,
    }


def card(report=None, facts=FACTS, **changes):
    report = report or make_report()
    return render_card(report, about(report, **changes), facts)


def test_it_says_what_the_fit_measured():
    report = make_report()
    text = card(report)
    assert f"| found | {report.n_found:,} |" in text
    assert f"| tested on | {report.n_test:,} |" in text
    low, high = report.intervals["accuracy"]
    assert f"| accuracy | {100 * report.accuracy:.1f} % | {100 * low:.1f} % to" in text
    assert f"{100 * high:.1f} %" in text
    for reason, n in report.skipped.items():
        assert f"| skipped: {reason} | {n:,} |" in text


def test_it_says_how_the_file_was_checked():
    assert "differed by 3.3e-05 at most (allowed: 0.001)" in card()
    assert "**Not checked**: written with `--no-check`" in card(facts=replace(FACTS, check=None))
    large = replace(CHECK, n_shrunk=4, largest_in_full=0.02)
    assert "4 of these photos are so large" in card(facts=replace(FACTS, check=large))


@pytest.mark.parametrize("name", EXPORTS)
def test_it_says_how_each_format_is_loaded(name):
    text = card(facts=replace(FACTS, format=name, file=f"m{EXPORTS[name]}"))
    code = text.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert f"'m{EXPORTS[name]}'" in code


def test_scores_are_not_called_probabilities():
    text = card(output="scores")
    assert "which is no probability" in text
    assert "scores differed by 3.3e-05 at most" in text
    assert "probabilities differed" not in text


def test_it_says_what_kind_of_file_it_is():
    assert "Format onnx, 13.6 MB." in card(facts=replace(FACTS, n_bytes=13_571_116))


def test_weights_say_where_their_licence_is():
    assert "come from https\\://example.org/vgg16.h5: their licence" in card()
    own = replace(FACTS, source=(("vgg16", "file", ""),))
    assert "The weights of vgg16 are a file of yours" in card(facts=own)


@pytest.mark.parametrize(
    "name",
    ["a|b", "<script>x</script>", "[x](http://y)", "`c`", "# h\n- i", "*b*", "&amp;", "www.x.org"],
)
def test_names_are_never_read_as_markdown(name):
    report = make_report()
    names = (name, *report.class_names[1:])
    rows = ({**report.per_class[0], "name": name}, *report.per_class[1:])
    text = card(replace(report, class_names=names, per_class=rows))
    assert escape(name) in text
    assert name not in text.replace(escape(name), "")
    assert "\n- i" not in text


def test_the_name_of_the_file_is_data_in_the_code():
    facts = replace(FACTS, file="a'\n```\nimport os.onnx")
    code = card(facts=facts).split("```python\n")[1]
    assert code.split("\n```\n")[0].startswith("import onnxruntime")
    assert "\nimport os" not in code

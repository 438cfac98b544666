import json
from dataclasses import asdict, replace

from pipeline.page import format_value, render_comparison, resolve
from tests.page.made_comparisons import make_comparison, make_hostile_comparison
from tests.page.reading import digits_outside, read_page


def text_of(page, anchor):
    (section,) = page.find("section", id=anchor)
    return " ".join(section.text.split())


def test_the_answer_names_the_best_and_the_cheapest():
    answer = text_of(read_page(render_comparison(make_comparison())), "answer")
    assert "svm is right most often: 95.0 %, between 92.0 and 97.0" in answer
    assert "logreg is the cheapest" in answer
    assert "4.25 ms an image instead of 5.25" in answer
    assert "The fits have different test images." in answer


def test_the_best_may_be_the_cheapest():
    content = make_comparison()
    fits = [{**fit, "cheapest": k == 0} for k, fit in enumerate(content.fits)]
    answer = text_of(read_page(render_comparison(replace(content, fits=tuple(fits)))), "answer")
    assert "Nothing within its error bar is cheaper." in answer


def test_every_number_is_one_of_the_comparison():
    content = make_comparison()
    page = read_page(render_comparison(content))
    classes = [
        {**asdict(each), "spread": max(each.recalls) - min(each.recalls)}
        for each in content.classes
    ]
    fields = {"fits": list(content.fits), "classes": classes, "n_common": 400}
    fields["n_disagreements"] = content.n_disagreements
    numbers = page.find("data", class_="metric")
    for number in numbers:
        path, how = number.attributes["data-metric"], number.attributes["data-format"]
        value = json.loads(number.attributes["value"])
        assert value == resolve(fields, path)
        assert number.text == format_value(value, how)
    paths = {number.attributes["data-metric"] for number in numbers}
    assert {f"fits.{k}.accuracy" for k in range(3)} <= paths
    assert {f"classes.{k}.recalls.2" for k in range(10)} <= paths
    assert {"fits.1.gap.p_value", "fits.2.gap.interval.0", "n_common"} <= paths
    assert "fits.0.gap.difference" not in paths
    (table,) = page.find("table", id="fit-table")
    assert digits_outside(table) == []


def test_disagreements_have_pictures_and_all_answers():
    page = read_page(render_comparison(make_comparison()))
    (section,) = page.find("section", id="disagreements")
    cards = section.find("li", class_="card")
    assert len(cards) == 12
    assert cards[0].find("img")[0].attributes["src"].startswith("data:image/webp;base64,")
    said = [" ".join(each.text.split()) for each in cards[0].find("p", class_="said")]
    assert said == ["is class 0", "svm class 1", "logreg class 0", "knn class 0"]
    text = " ".join(section.text.split())
    assert "31 of 400" in text
    assert "12 of them are shown" in text
    assert "First come those that svm gets wrong" in text


def test_fits_that_agree_have_nothing_to_show():
    page = render_comparison(make_comparison(disagreements=(), n_disagreements=0))
    assert "All give the same answer" in page


def test_without_times_there_is_no_section_on_cost():
    page = read_page(render_comparison(make_comparison(pareto=None)))
    assert page.find("section", id="cost") == []
    assert page.find("a", href="#cost") == []


def test_a_long_list_of_classes_can_be_filtered():
    assert not read_page(render_comparison(make_comparison(10))).find("input")
    (field,) = read_page(render_comparison(make_comparison(120))).find("input")
    assert field.attributes["data-filter"] == "class-table"


def test_names_are_text_whatever_they_say():
    html = render_comparison(make_hostile_comparison())
    html.encode()
    page = read_page(html)
    assert page.find("img", src="x") == []
    assert len(page.find("script")) == 2  # the data, and our own
    assert "\\udcff" in html


def test_the_same_comparison_gives_the_same_page():
    assert render_comparison(make_comparison()) == render_comparison(make_comparison())

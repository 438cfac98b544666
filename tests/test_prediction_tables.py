"""Answers as a table for people."""

from dataclasses import replace

import pytest

from pipeline.prediction_tables import render_answers, render_sum
from pipeline.records import Answer, Predictions
from tests.test_sheets import printed

SUM = Predictions(
    source="cache/x.fits/logreg-1",
    model="efficientnet-lite0",
    clf="logreg",
    kind="probability",
    n_images=3,
    counts={"cat": 1, "unknown": 1},
    skipped={"zero bytes": 1},
    seconds=1.0,
)
CAT = Answer(path="/long/folder/of/photos/a.jpg", classes=("cat",), probabilities=(0.987,))
BAD = Answer(path="/long/folder/of/photos/b.jpg", reason="zero bytes")
UNKNOWN = Answer(
    path="/long/folder/of/photos/c/d.jpg",
    classes=("dog", "cat"),
    probabilities=(0.75, 0.25),
    distance=0.71234,
    is_unknown=True,
)


def show(answers, predictions=SUM, *, width=100, encoding="utf-8", names=None):
    table = render_answers(answers, predictions, width=width, encoding=encoding, names=names)
    return "\n".join(printed(table, width=width, encoding=encoding))


def test_an_image_a_row_with_its_folder_said_once():
    text = show([CAT, BAD])
    assert "in /long/folder/of/photos\n" in text
    assert "a.jpg" in text
    assert "98.7 %" in text
    assert "(zero bytes)" in text
    assert text.count("/long") == 1


def test_the_sum_stands_below():
    assert show([CAT]).rstrip().endswith("3 images: 1 cat, 1 unknown, 1 zero bytes.")


def test_one_image_has_its_whole_path():
    assert "/long/folder/of/photos/a.jpg" in show([CAT])


def test_what_is_unknown_has_no_probability_but_the_classes_it_is_nearest_to():
    row = next(line for line in show([CAT, UNKNOWN]).splitlines() if "d.jpg" in line)
    assert "c/d.jpg" in row
    assert "unknown" in row
    assert "dog 75.0 %; cat 25.0 %" in row
    assert "0.712" in row


def test_sets_have_a_column():
    text = show([replace(CAT, label_set=("cat", "dog")), replace(CAT, label_set=("cat",))])
    assert "one of" in text
    assert "cat; dog" in text


def test_of_a_large_set_the_most_probable_are_named():
    text = show([replace(CAT, label_set=tuple(f"c{i}" for i in range(1000)))], width=200)
    assert "c11; 988 more" in text
    assert "c12" not in text


def test_a_name_of_two_lines_takes_one():
    rows = show([replace(CAT, classes=("a\nb",)), CAT]).splitlines()
    assert sum(".jpg" in row or "b " in row for row in rows) == 2
    assert any("a\\nb" in row for row in rows)


def test_counts_of_labels_that_are_numbers_can_be_read():
    total = render_sum(replace(SUM, counts={"5": 2, "cat": 1}, skipped={}))
    assert total.plain == '3 images: 2 "5", 1 cat.'


def test_scores_are_called_so():
    text = show([Answer(path="a", classes=("cat",), scores=(-1.2345,))], replace(SUM, kind="score"))
    assert "score" in text
    assert "probability" not in text
    assert "-1.23" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    long = replace(UNKNOWN, path="x" * 150 + "/y.jpg", classes=("n" * 60, "m" * 60))
    text = show([CAT, long, BAD], width=width)
    assert max(map(len, text.splitlines())) <= width


def test_names_are_no_markup_and_can_be_printed_anywhere():
    hostile = Answer(path="[red]\n\x1b[31m猫.jpg", classes=("[bold]é",), probabilities=(1.0,))
    text = show([hostile], encoding="ascii")
    assert "[red]" in text
    assert "[bold]" in text
    assert "\x1b" not in text
    text.encode("ascii")


def test_of_many_classes_the_most_frequent_are_counted_one_by_one():
    many = replace(SUM, counts={f"class-{i}": 30 - i for i in range(20)}, skipped={}, n_images=410)
    (text,) = printed(render_sum(many), width=300)
    assert "30 class-0" in text
    assert "class-12" not in text
    assert "more in 8 other classes" in text


def test_classes_may_be_called_otherwise():
    text = show([UNKNOWN, CAT], names={"cat": "puss", "unknown": "not this"})
    assert "dog 75.0 %; puss 25.0 %" in text
    assert "1 puss" in text
    assert "cat" not in text.replace("cache", "")

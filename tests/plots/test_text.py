import pytest

from pipeline.plots.text import label, lines, measure


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat", "cat"),
        ("a" * 12, "a" * 12),
        ("begin" + "x" * 20 + "the end", "beginx…e end"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\udcff", "\\udcff"),
        ("", ""),
    ],
)
def test_a_name_stays_on_one_line_and_loses_its_middle(name, shown):
    assert label(name, 12) == shown


@pytest.mark.parametrize("width", range(3, 14))
@pytest.mark.parametrize("name", ["abcdefghijklmnop", "日本語日本語日本語", "a日b本c語d日e本f語"])
def test_no_name_is_wider_than_its_room(name, width):
    assert measure(label(name, width)) <= width
    assert label(name, width)[0] == name[0]


def test_east_asian_characters_take_two_places():
    assert measure("日本a") == 5
    assert label("日本語猫", 8) == "日本語猫"
    assert label("日本語猫犬", 8) == "日本…犬"


def test_each_line_of_a_title_is_shortened_alone():
    assert lines("short\n" + "y" * 30, 9) == "short\nyyyy…yyyy"

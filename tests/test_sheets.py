import io

import pytest
from rich.console import Console

from pipeline.sheets import Column, Sheet


def printed(renderable, *, width=80, encoding="utf-8"):
    """Print as into a file of some encoding, and return what the file holds."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    Console(file=file, width=width, highlight=False).print(renderable)
    file.flush()
    return [line.rstrip() for line in raw.getvalue().decode(encoding).splitlines()]


def table(*columns, width=80, encoding="utf-8"):
    sheet = Sheet(width=width, encoding=encoding)
    shown = sheet.choose(columns)
    body = sheet.table(shown, [""] * len(columns[0].cells))
    return printed(body, width=width, encoding=encoding)


def column(head, *cells, **options):
    return Column(head=head, cells=cells, **options)


def test_numbers_stand_at_the_right_with_two_blanks_between():
    lines = table(column("name", "a", "bcdef", justify="left"), column("n", "1", "100"))
    assert lines == ["name     n", "─" * 10, "a        1", "bcdef  100"]


def test_ascii():
    names = column("name", "caf\u00e9", justify="left")
    lines = table(names, column("n", "1"), encoding="ascii")
    assert lines == ["name     n", r"caf\xe9  1"]


def test_columns_to_spare_go_first_as_far_as_they_must():
    columns = [
        column("aaaa", "1"),
        column("bbbb", "1", spare=1),
        column("cccc", "1", spare=3),
        column("dddd", "1", spare=2),
    ]
    heads = {w: table(*columns, width=w)[0].split() for w in (22, 21, 16, 15, 10, 9)}
    assert heads == {
        22: ["aaaa", "bbbb", "cccc", "dddd"],
        21: ["aaaa", "bbbb", "dddd"],
        16: ["aaaa", "bbbb", "dddd"],
        15: ["aaaa", "bbbb"],
        10: ["aaaa", "bbbb"],
        9: ["aaaa"],
    }


def test_joined_models_are_parted_only_where_there_is_no_room():
    columns = [column("model", "lite0+lite2", justify="left", least=8), column("n", "100")]
    assert table(*columns, width=16)[2:] == ["lite0+lite2  100"]
    assert table(*columns, width=15)[2:] == ["lite0+   100", "  lite2"]


def test_long_cells_are_broken_and_nothing_of_them_is_lost():
    columns = [column("with", "a" * 30, justify="left", least=10), column("n", "100", spare=1)]
    lines = table(*columns, width=20)
    assert "".join(line.split()[0] for line in lines[2:]) == "a" * 30
    assert "100" in lines[2]


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", ":smile:"])
def test_text_is_not_markup(text):
    sheet = Sheet(width=80)
    page = sheet.page(
        sheet.title([text]),
        sheet.table(sheet.choose([column(text, text)]), [""]),
        sheet.remark(text),
        sheet.legend([column(text, text, meaning=text)]),
        sheet.bullets([text]),
    )
    lines = printed(page)
    assert sum(text in line for line in lines) == 6


def test_what_cannot_be_printed_is_escaped():
    sheet = Sheet(width=80)
    for part in (sheet.title(["a\x1b"]), sheet.remark("a\x1b"), sheet.bullets(["a\x1b"])):
        assert "a\\x1b" in printed(part)[0]
    assert "a\\x1b" in table(column("head", "a\x1b"))[2]


def test_a_page_has_no_empty_parts():
    sheet = Sheet(width=80)
    assert printed(sheet.page(sheet.remark("a"), None, sheet.bullets([]), sheet.remark("b"))) == [
        "a",
        "",
        "b",
    ]


def test_the_legend_tells_what_is_not_obvious():
    columns = [column("  ms", "1", meaning="an image"), column("n", "1")]
    assert printed(Sheet(width=80).legend(columns, "first")) == ["first; ms: an image."]

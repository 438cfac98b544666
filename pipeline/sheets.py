"""Tables that fit the terminal: what is too wide is broken, then columns are left out.

All text may be a user's: it is never read as rich markup, and what cannot be printed is shown as
escapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.records import printable

GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text.

    Attributes
    ----------
    head : str
    cells : tuple of str
        A cell may have several lines.
    meaning : str
        What the legend says of it, if anything.
    justify : str
    least : int or None
        How narrow its cells may be broken where there is no room; None if they must not be.
    spare : int
        Where there is no room, the column with the largest is left out first; 0 always stays.
    """

    head: str
    cells: tuple[str, ...]
    meaning: str = ""
    justify: Literal["left", "right"] = "right"
    least: int | None = None
    spare: int = 0

    @property
    def width(self) -> int:
        """Cells of its longest line."""
        return max(cell_len(line) for cell in (self.head, *self.cells) for line in cell.split("\n"))

    @property
    def narrowest(self) -> int:
        """Cells that it needs."""
        return self.width if self.least is None else min(self.width, self.least)


class Sheet:
    """The width and encoding of the output, and what is laid out for them.

    Parameters
    ----------
    width : int
        Columns, for example `Console.width`.
    encoding : str
        For example `Console.encoding`.
    """

    def __init__(self, *, width: int, encoding: str = "utf-8") -> None:
        self._width = width
        self._encoding = encoding
        self._unicode = self.clean("·─") == "·─"

    def clean(self, text: str) -> str:
        """Return text in which everything can be printed, on one line."""
        return printable(text).encode(self._encoding, "backslashreplace").decode(self._encoding)

    def choose(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns that there is room for, cleaned."""
        shown = [_map_lines(column, self.clean) for column in columns]
        if not self._has_room([column.width for column in shown]):
            shown = [column if column.least is None else _part_models(column) for column in shown]
        while not self._has_room([column.narrowest for column in shown]):
            spare = max(shown, key=lambda column: column.spare)
            if not spare.spare:
                break
            shown.remove(spare)
        return shown

    def _has_room(self, widths: Sequence[int]) -> bool:
        return sum(widths) + GAP * (len(widths) - 1) <= self._width

    def table(self, columns: Sequence[Column], styles: Sequence[str]) -> Table:
        """Return a table of columns from `choose`; `styles` are those of its rows."""
        table = Table(
            box=box.SIMPLE_HEAD if self._unicode else None,
            show_edge=False,
            pad_edge=False,
            # Two blanks between columns: SIMPLE_HEAD draws one of them.
            padding=(0, 1 if self._unicode else GAP, 0, 0),
            header_style="dim",
        )
        for column in columns:
            table.add_column(
                Text(column.head),
                justify=column.justify,
                no_wrap=column.least is None,
                # rich's ellipsis is not ASCII
                overflow="fold" if column.least else "ellipsis" if self._unicode else "crop",
            )
        cells = zip(*(column.cells for column in columns), strict=True)
        for style, row in zip(styles, cells, strict=True):
            table.add_row(*map(Text, row), style=style)
        return table

    def legend(self, columns: Sequence[Column], *also: str) -> Text:
        """Return what the columns mean, in a paragraph."""
        said = [f"{c.head.strip()}: {c.meaning}" for c in columns if c.meaning]
        return Text(f"{'; '.join([*also, *said])}.", style="dim")

    def title(self, parts: Sequence[str]) -> Text:
        """Return a headline."""
        return Text((" · " if self._unicode else " - ").join(map(self.clean, parts)), style="bold")

    def remark(self, text: str) -> Text:
        """Return a paragraph."""
        return Text(self.clean(text))

    def bullets(self, sentences: Sequence[str]) -> Table | None:
        """Return a list of notes; None if there is none."""
        if not sentences:
            return None
        table = Table.grid(padding=(0, 1))
        for sentence in sentences:
            table.add_row(Text("-"), Text(self.clean(sentence), style="yellow", overflow="fold"))
        return table

    def page(self, *parts: RenderableType | None) -> Group:
        """Return parts one below the other, with an empty line between them."""
        spaced = [line for part in parts if part is not None for line in (Text(), part)]
        return Group(*spaced[1:])


def _map_lines(column: Column, change: Callable[[str], str]) -> Column:
    cells = ("\n".join(map(change, cell.split("\n"))) for cell in column.cells)
    return replace(column, cells=tuple(cells))


def _part_models(column: Column) -> Column:
    """Return a column in which joined models stand one below the other."""
    return replace(column, cells=tuple(cell.replace("+", "+\n  ") for cell in column.cells))

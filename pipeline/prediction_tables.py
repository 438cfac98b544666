"""What images were found to show, as rich renderables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rich.console import RenderableType
from rich.text import Text

from pipeline.records import UNKNOWN, Answer, Predictions, write_percent
from pipeline.sheets import Column, Sheet

MAX_COUNTED = 12
"""Labels whose counts are told one by one, and classes of a set that are named."""

_PATH = 30
"""Cells that a path has room in."""

_LONG = 16
"""Characters of a folder that is said once."""


def render_answers(
    answers: Sequence[Answer],
    predictions: Predictions,
    *,
    width: int,
    encoding: str = "utf-8",
    names: Mapping[str, str] | None = None,
) -> RenderableType:
    """Lay answers out for a terminal, one image a row.

    Parameters
    ----------
    answers : sequence of Answer
    predictions : Predictions
        Their sum, which stands below.
    width : int
        Columns, for example `Console.width`.
    encoding : str
        Of the output; what it lacks is shown as escapes.
    names : mapping of str to str, optional
        What classes are called in the table, if otherwise.
    """
    sheet = Sheet(width=width, encoding=encoding)
    answers = [_rename(answer, names or {}) for answer in answers]
    folder, paths = _part_folder([answer.path for answer in answers])
    columns = [
        _column("image", paths, justify="left", least=_PATH),
        _column("label", map(_name_label, answers), justify="left", least=12),
        _column(predictions.kind, map(_number, answers)),
    ]
    if any(answer.is_unknown or len(answer.classes) > 1 for answer in answers):
        columns.append(
            _column("then", map(_list_others, answers), justify="left", least=16, spare=1)
        )
    if any(answer.distance is not None for answer in answers):
        columns.append(
            _column(
                "distance",
                (_write_distance(answer) for answer in answers),
                meaning="from the training images' transfer values",
                spare=3,
            )
        )
    if any(answer.label_set is not None for answer in answers):
        columns.append(
            _column("one of", map(_list_set, answers), justify="left", least=12, spare=2)
        )
    shown = sheet.choose(columns)
    return sheet.page(
        sheet.title([f"in {folder}"]) if folder else None,
        sheet.table(shown, [_style(answer) for answer in answers]),
        render_sum(predictions, encoding=encoding, names=names),
    )


def render_sum(
    predictions: Predictions, *, encoding: str = "utf-8", names: Mapping[str, str] | None = None
) -> Text:
    """Return in a line or two how often each label was given; parameters as `render_answers`."""
    sheet = Sheet(width=80, encoding=encoding)
    counts = list(predictions.counts.items())
    shown = names or {}
    parts = [f"{n:,} {_quote(shown.get(label, label))}" for label, n in counts[:MAX_COUNTED]]
    if len(counts) > MAX_COUNTED:
        rest = sum(n for _, n in counts[MAX_COUNTED:])
        parts.append(f"{rest:,} more in {len(counts) - MAX_COUNTED:,} other classes")
    parts += [f"{n:,} {reason}" for reason, n in predictions.skipped.items()]
    n_images = predictions.n_images
    return Text(
        sheet.clean(f"{n_images:,} image{'s' if n_images != 1 else ''}: {', '.join(parts)}.")
    )


def _quote(label: str) -> str:
    """Set a label apart from the number before it, if it begins with a digit itself."""
    return f'"{label}"' if label[:1].isdigit() else label


def _rename(answer: Answer, names: Mapping[str, str]) -> Answer:
    label_set = answer.label_set
    return replace(
        answer,
        classes=tuple(names.get(name, name) for name in answer.classes),
        label_set=None if label_set is None else tuple(names.get(n, n) for n in label_set),
    )


def _part_folder(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Return the folder that all paths have in common, and the paths in it; "" if they have none.

    A folder that is short is left in the paths, which can be copied then.
    """
    folders = {os.path.dirname(path) for path in paths}  # noqa: PTH120
    try:
        folder = os.path.commonpath(folders)
    except ValueError:  # absolute and relative ones, or those of several drives
        folder = ""
    if len(paths) < 2 or len(folder) < _LONG:
        return "", list(paths)
    return folder, [os.path.relpath(path, folder) for path in paths]


def _column(
    head: str,
    cells: Iterable[str],
    *,
    justify: str = "right",
    least: int | None = None,
    spare: int = 0,
    meaning: str = "",
) -> Column:
    return Column(
        head=head,
        cells=tuple(cell.replace("\n", "\\n") for cell in cells),  # names are of one line here
        justify="left" if justify == "left" else "right",
        least=least,
        spare=spare,
        meaning=meaning,
    )


def _name_label(answer: Answer) -> str:
    return f"({answer.reason})" if answer.reason else answer.label


def _number(answer: Answer) -> str:
    return "" if answer.reason or answer.is_unknown else write_number(answer, 0)


def write_number(answer: Answer, place: int) -> str:
    """Return the probability or the score of one of an answer's classes, for people."""
    if answer.probabilities:
        return f"{write_percent(answer.probabilities[place])} %"
    return f"{answer.scores[place]:.3g}"


def _list_others(answer: Answer) -> str:
    first = 0 if answer.is_unknown else 1
    places = range(first, len(answer.classes))
    # Names of ImageNet hold commas.
    return "; ".join(f"{answer.classes[place]} {write_number(answer, place)}" for place in places)


def _write_distance(answer: Answer) -> str:
    return "" if answer.distance is None else f"{answer.distance:.3g}"


def _list_set(answer: Answer) -> str:
    if answer.label_set is None:
        return ""
    named, more = answer.label_set[:MAX_COUNTED], len(answer.label_set) - MAX_COUNTED
    return "; ".join([*named, f"{more:,} more"] if more > 0 else named)


def _style(answer: Answer) -> str:
    return "red" if answer.reason else "yellow" if answer.label == UNKNOWN else ""

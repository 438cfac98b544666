"""Numbers of metrics.json as HTML that says which number it is, so that a test can read it back.

A number is ``<data class="metric" data-metric="per_class.3.recall" value="0.98">98.0 %</data>``:
the path into `Report.to_dict`, the whole value, and what a reader sees. What is counted from such
numbers, the right answers say, is of class ``derived`` and names one of `DERIVED`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from markupsafe import Markup

from pipeline.page.formats import format_value

Fields = Mapping[str, Any]

_NAMES = "surrogateescape"  # what cannot be decoded in a name of a file


def resolve(fields: Fields, path: str) -> Any:
    """Return what is at a path: keys and indices with dots between, dots in a key as %2E."""
    found: Any = fields
    for step in path.split("."):
        key = int(step) if isinstance(found, list | tuple) else unquote(step, errors=_NAMES)
        found = found[key]
    return found


def join_path(*steps: str | int) -> str:
    """Return the path that `resolve` follows."""
    quoted = (quote(str(step), safe=" ", errors=_NAMES) for step in steps)
    return ".".join(step.replace(".", "%2E") for step in quoted)


def _right(fields: Fields) -> int:
    return sum(row[i] for i, row in enumerate(fields["confusion_matrix"]))


def _wrong(fields: Fields) -> int:
    return int(fields["n_test"]) - _right(fields)


def _row_share(fields: Fields, true: str, predicted: str) -> float | None:
    row = fields["confusion_matrix"][int(true)]
    return row[int(predicted)] / sum(row) if sum(row) else None


def _twins(fields: Fields) -> int:
    return int(fields["twins"]["n_exact"]) + int(fields["twins"]["n_near"])


DERIVED: Mapping[str, Callable[..., float | None]] = {
    "right": _right,
    "wrong": _wrong,
    "row_share": _row_share,
    "n_twins": _twins,
    "n_skipped": lambda fields: sum(fields["skipped"].values()),
    "n_classes": lambda fields: len(fields["class_names"]),
}
"""What is counted from a report's numbers; arguments follow the name, as in ``row_share.0.1``."""


class Numbers:
    """The numbers of one report, as HTML.

    Parameters
    ----------
    fields : mapping
        `Report.to_dict`.
    """

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def metric(self, path: str, how: str = "percent") -> Markup:
        """Return the number at a path; see `resolve` and `FORMATS`."""
        return _element("metric", path, resolve(self._fields, path), how)

    def derived(self, path: str, how: str = "count") -> Markup:
        """Return what `DERIVED` counts."""
        name, *arguments = path.split(".")
        return _element("derived", path, DERIVED[name](self._fields, *arguments), how)


def other_number(value: float | None, how: str) -> Markup:
    """Return a number that metrics.json does not have: a score, or a size in pixels."""
    shown = format_value(value, how)
    return Markup('<data class="other" value="{}">{}</data>').format(json.dumps(value), shown)


def _element(kind: str, path: str, value: float | None, how: str) -> Markup:
    text = Markup('<data class="{0}" data-{0}="{1}" data-format="{2}" value="{3}">{4}</data>')
    return text.format(kind, path, how, json.dumps(value), format_value(value, how))

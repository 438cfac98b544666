"""From a table's rows to labelled files: which column means what, and where the files are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.datasets.fields import (
    find_any_case,
    find_file,
    find_path_column,
    match_column,
    name_columns,
    normalise_path,
    read_split,
    read_text_field,
)
from pipeline.datasets.listing import Listing, Row
from pipeline.datasets.lookup import FileFinder
from pipeline.datasets.parsing import Record, parse_table
from pipeline.errors import DatasetError, EmptyDatasetError
from pipeline.records import Split

LABEL_COLUMNS = ("label", "class", "target", "breed", "category")

TWICE = "listed twice"


class Columns(NamedTuple):
    """Which column of a table means what; an empty name is a column that is not there."""

    path: str
    label: str
    split: str
    group: str


def read_table(table: Path, *, label_column: str | None = None) -> Listing:
    """List the files that a table names.

    Relative paths count from the table's folder; a missing extension, and the usual sub-folders
    such as `train/`, are looked up, the row's own split first. A file that does not exist,
    or is a pipe or a device, stays a row, so that it is listed as skipped and not lost.

    Parameters
    ----------
    table : Path
        Resolved; `.csv`, `.tsv`, `.txt`, `.jsonl` or `.ndjson`, in UTF-8.
    label_column : str, optional
        Instead of the first of `LABEL_COLUMNS` that the table has.

    Raises
    ------
    DatasetError
        If a column, a label or a split is missing or makes no sense, or a row may mean several
        files; it names the line.
    EmptyDatasetError
        If there is no row, or none of the files exists.
    """
    records = parse_table(table)
    if not records:
        raise EmptyDatasetError(f"{table} has no rows. Expected one row for each image.")
    columns = _find_columns(table, records, label_column)
    return _list_files(table, records, columns)


def _find_columns(table: Path, records: list[Record], label_column: str | None) -> Columns:
    names = name_columns(records)
    path = find_path_column(table, names)
    label = _find_label_column(table, names, label_column)
    if label == path:
        raise DatasetError(f"{table}: the column {label!r} cannot be both the file and the label.")
    return Columns(path, label, find_any_case(names, "split"), find_any_case(names, "group"))


def _find_label_column(table: Path, names: list[str], wanted: str | None) -> str:
    got = f"got: {', '.join(map(ascii, names))}"
    if wanted is not None:
        if found := match_column(names, wanted):
            return found
        raise DatasetError(
            f"{table} has no column {wanted!r} for the label (--label-column); {got}."
        )
    for name in LABEL_COLUMNS:
        if found := find_any_case(names, name):
            return found
    raise DatasetError(
        f"{table} has no column for the label. Expected one of {', '.join(LABEL_COLUMNS)}; {got}. "
        "Name it: --label-column NAME."
    )


def _list_files(table: Path, records: list[Record], columns: Columns) -> Listing:
    finder = FileFinder(table.parent, stem=table.stem)
    seen: dict[str, tuple[int, Row]] = {}
    ignored: Counter[str] = Counter()
    missing = []
    for line, fields in records:
        given = read_text_field(table, line, fields, columns.path)
        row = _read_row(table, line, fields, columns, given)
        found = find_file(table, line, row.path, split=row.split, finder=finder)
        row = row._replace(path=row.path if found is None else found)
        if row.path in seen:
            _check_same(table, line, row, *seen[row.path])
            ignored[TWICE] += 1
            continue
        seen[row.path] = (line, row)
        if found is None:
            missing.append(given)
    if len(missing) == len(seen):
        raise EmptyDatasetError(
            f"None of the {len(seen)} files that {table} lists exists. The first is "
            f"{missing[0]!a}, looked for in {finder.describe()}. Relative paths count from the "
            f"table's folder."
        )
    rows = tuple(row for _, row in seen.values())
    _check_split(table, rows, columns.split)
    return Listing(table.parent, rows, ignored)


def _read_row(
    table: Path, line: int, fields: Mapping[str, Any], columns: Columns, given: str
) -> Row:
    return Row(
        path=normalise_path(table, line, given),
        label=_read_label(table, line, fields, columns.label),
        split=read_split(table, line, fields, columns.split),
        group=read_text_field(table, line, fields, columns.group, optional=True).strip(),
    )


def _read_label(table: Path, line: int, fields: Mapping[str, Any], column: str) -> str:
    """Return the label; unlike a file's name, it has to be text that people can read."""
    label = read_text_field(table, line, fields, column).strip()
    if any("\udc80" <= letter <= "\udcff" for letter in label):
        raise DatasetError(
            f"{table}, line {line}: {column!r} is not UTF-8: {os.fsencode(label)!r}. Save the "
            "table as UTF-8: in Excel as CSV UTF-8, or with iconv -f LATIN1 -t UTF-8."
        )
    return label


def _check_same(table: Path, line: int, row: Row, first_line: int, first: Row) -> None:
    if row != first:
        raise DatasetError(
            f"{table}: lines {first_line} and {line} list {row.path!a} twice, as "
            f"{_describe_row(first)} and as {_describe_row(row)}. Take one of them out."
        )


def _describe_row(row: Row) -> str:
    split = f", split {row.split.name.lower()}" if row.split else ""
    group = f", group {row.group!r}" if row.group else ""
    return f"label {row.label!r}{split}{group}"


def _check_split(table: Path, rows: tuple[Row, ...], column: str) -> None:
    without = sum(row.split is Split.NONE for row in rows)
    if 0 < without < len(rows):
        raise DatasetError(
            f"{table}: {without} of {len(rows)} rows have no {column!r}. Fill it in for every row "
            "or for none; a given split is never redrawn."
        )

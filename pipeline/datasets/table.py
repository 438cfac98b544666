"""From a table's rows to labelled files: which column means what, and where the files are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.datasets.listing import SPLIT_NAMES, Listing, Row
from pipeline.datasets.lookup import FileFinder
from pipeline.datasets.parsing import Record, parse_table
from pipeline.errors import DatasetError, EmptyDatasetError
from pipeline.records import Split

PATH_COLUMNS = ("file_name", "path", "filepath", "filename", "image", "id")
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
    names = list(dict.fromkeys(name for _, fields in records for name in fields))
    by_lower = {name.lower(): name for name in reversed(names)}
    path = next((by_lower[name] for name in PATH_COLUMNS if name in by_lower), None)
    if path is None:
        raise DatasetError(
            f"{table} has no column for the file. Expected one of {', '.join(PATH_COLUMNS)}; "
            f"got: {', '.join(map(ascii, names))}. Rename the column."
        )
    label = _find_label_column(table, names, by_lower, label_column)
    if label == path:
        raise DatasetError(f"{table}: the column {label!r} cannot be both the file and the label.")
    return Columns(path, label, by_lower.get("split", ""), by_lower.get("group", ""))


def _find_label_column(
    table: Path, names: list[str], by_lower: Mapping[str, str], wanted: str | None
) -> str:
    got = f"got: {', '.join(map(ascii, names))}"
    if wanted is not None:
        if wanted in names:
            return wanted
        if wanted.lower() in by_lower:
            return by_lower[wanted.lower()]
        raise DatasetError(
            f"{table} has no column {wanted!r} for the label (--label-column); {got}."
        )
    for name in LABEL_COLUMNS:
        if name in by_lower:
            return by_lower[name]
    raise DatasetError(
        f"{table} has no column for the label. Expected one of {', '.join(LABEL_COLUMNS)}; {got}. "
        "Name it: --label-column NAME."
    )


def _list_files(table: Path, records: list[Record], columns: Columns) -> Listing:
    finder = FileFinder(table.parent, stem=table.stem)
    find = partial(_find_file, table, finder)
    seen: dict[str, tuple[int, Row]] = {}
    ignored: Counter[str] = Counter()
    missing = []
    for line, fields in records:
        given = _read_text_field(table, line, fields, columns.path)
        row = _read_row(table, line, fields, columns, given)
        found = find(line, row)
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


def _find_file(table: Path, finder: FileFinder, line: int, row: Row) -> str | None:
    found = finder.find(row.path, split=row.split)
    if len(found) > 1:
        raise DatasetError(
            f"{table}, line {line}: {row.path!a} may be any of {len(found)} files: "
            f"{', '.join(map(ascii, found[:5]))}. Expected one. Write the whole path with its "
            "extension, or add a split column."
        )
    return found[0] if found else None


def _read_row(
    table: Path, line: int, fields: Mapping[str, Any], columns: Columns, given: str
) -> Row:
    split_name = _read_text_field(table, line, fields, columns.split, optional=True).strip()
    if split_name and split_name.lower() not in SPLIT_NAMES:
        raise DatasetError(
            f"{table}, line {line}: unknown split {split_name!r}. Expected one of "
            f"{', '.join(SPLIT_NAMES)}."
        )
    return Row(
        path=_normalise(table, line, given),
        label=_read_label(table, line, fields, columns.label),
        split=SPLIT_NAMES.get(split_name.lower(), Split.NONE),
        group=_read_text_field(table, line, fields, columns.group, optional=True).strip(),
    )


def _read_label(table: Path, line: int, fields: Mapping[str, Any], column: str) -> str:
    """Return the label; unlike a file's name, it has to be text that people can read."""
    label = _read_text_field(table, line, fields, column).strip()
    if any("\udc80" <= letter <= "\udcff" for letter in label):
        raise DatasetError(
            f"{table}, line {line}: {column!r} is not UTF-8: {os.fsencode(label)!r}. Save the "
            "table as UTF-8: in Excel as CSV UTF-8, or with iconv -f LATIN1 -t UTF-8."
        )
    return label


def _read_text_field(
    table: Path, line: int, fields: Mapping[str, Any], column: str, *, optional: bool = False
) -> str:
    """Return a field as text: labels are words even where they look like numbers."""
    value = fields.get(column)
    if isinstance(value, (list, dict)):
        kind = type(value).__name__
        raise DatasetError(f"{table}, line {line}: {column!r} is a {kind}; expected one word.")
    text = "" if value is None else str(value)
    if not text.strip() and not optional:
        raise DatasetError(
            f"{table}, line {line}: {column!r} is empty. Fill it in or take the row out."
        )
    try:
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        message = f"{table}, line {line}: {column!r} is not valid text: {text!a}."
        raise DatasetError(message) from exc
    if "\0" in text:
        raise DatasetError(f"{table}, line {line}: {column!r} contains a NUL: {text!a}.")
    return text


def _normalise(table: Path, line: int, given: str) -> str:
    """Return a path relative to the table's folder, with `/` and without `.` and `//`."""
    if given.startswith(("http://", "https://")):
        raise DatasetError(
            f"{table}, line {line}: {given!a} is a web address. Images in a table are not "
            "downloaded: fetch them first and list the files."
        )
    path = str(Path(given).expanduser()) if given.startswith("~/") else given
    if Path(path).is_absolute():
        path = os.path.relpath(path, table.parent)
    return os.path.normpath(path).replace(os.sep, "/")


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

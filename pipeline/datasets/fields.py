"""What stands in a table: its columns by name, and the fields of a row as text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.datasets.listing import SPLIT_NAMES
from pipeline.datasets.lookup import FileFinder
from pipeline.datasets.parsing import Record
from pipeline.errors import DatasetError
from pipeline.records import Split

PATH_COLUMNS = ("file_name", "path", "filepath", "filename", "image", "id")


def name_columns(records: Sequence[Record]) -> list[str]:
    """Return the names of all columns, in the order in which they come."""
    return list(dict.fromkeys(name for _, fields in records for name in fields))


def match_column(names: Sequence[str], wanted: str) -> str:
    """Return the column of that name, or else the first that differs in case; "" for none."""
    return wanted if wanted in names else find_any_case(names, wanted)


def find_any_case(names: Sequence[str], word: str) -> str:
    """Return the first column called so in upper or lower case; "" for none."""
    return next((name for name in names if name.lower() == word.lower()), "")


def find_path_column(table: Path, names: Sequence[str]) -> str:
    """Return the column of the file.

    Raises
    ------
    DatasetError
        If there is none.
    """
    path = next(filter(None, (find_any_case(names, word) for word in PATH_COLUMNS)), None)
    if path is None:
        raise DatasetError(
            f"{table} has no column for the file. Expected one of {', '.join(PATH_COLUMNS)}; "
            f"got: {', '.join(map(ascii, names))}. Rename the column."
        )
    return path


def read_text_field(
    table: Path, line: int, fields: Mapping[str, Any], column: str, *, optional: bool = False
) -> str:
    """Return a field as text: labels are words even where they look like numbers.

    A column without a name, such as the index that pandas writes, is none that may be meant.

    Raises
    ------
    DatasetError
        If it is a list or no text, or if it is empty and not optional.
    """
    value = fields.get(column) if column else None
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


def read_split(table: Path, line: int, fields: Mapping[str, Any], column: str) -> Split:
    """Return the split that a row names, `Split.NONE` for none.

    Raises
    ------
    DatasetError
        If it is none of `SPLIT_NAMES`.
    """
    name = read_text_field(table, line, fields, column, optional=True).strip()
    if name and name.lower() not in SPLIT_NAMES:
        raise DatasetError(
            f"{table}, line {line}: unknown split {name!r}. Expected one of "
            f"{', '.join(SPLIT_NAMES)}."
        )
    return SPLIT_NAMES.get(name.lower(), Split.NONE)


def normalise_path(table: Path, line: int, given: str) -> str:
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


def find_file(table: Path, line: int, path: str, *, split: Split, finder: FileFinder) -> str | None:
    """Return the file that a normalised path means, relative to the table; None for none.

    Raises
    ------
    DatasetError
        If it may be any of several.
    """
    found = finder.find(path, split=split)
    if len(found) > 1:
        raise DatasetError(
            f"{table}, line {line}: {path!a} may be any of {len(found)} files: "
            f"{', '.join(map(ascii, found[:5]))}. Expected one. Write the whole path with its "
            "extension, or add a split column."
        )
    return found[0] if found else None

"""Read one more column of a table, by the paths that its images have in a store."""

from __future__ import annotations

from pathlib import Path

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
from pipeline.datasets.lookup import FileFinder
from pipeline.datasets.parsing import TABLE_EXTENSIONS, parse_table
from pipeline.errors import DatasetError


def is_table(path: Path) -> bool:
    """Tell whether a path is that of a table, by its name and whether the file exists."""
    return path.suffix.lower() in TABLE_EXTENSIONS and path.is_file()


def list_columns(table: Path) -> tuple[str, ...]:
    """Return the names of a table's columns.

    Raises
    ------
    DatasetError
        If it cannot be read.
    """
    return tuple(name_columns(parse_table(table)))


def has_column(table: Path, column: str) -> bool:
    """Tell whether `read_column` finds a column of that name.

    Raises
    ------
    DatasetError
        If the table cannot be read.
    """
    return match_column(list_columns(table), column) != ""


def read_column(table: Path, column: str) -> dict[str, str]:
    """Return the values of a column by the paths of the files, as `read_table` gives them.

    Parameters
    ----------
    table : Path
        As for `read_table`.
    column : str
        Its name; upper and lower case are alike where no column is called exactly so.

    Returns
    -------
    dict of str to str
        "" where a row has no value; without white space at either end.

    Raises
    ------
    DatasetError
        If there is no such column, the table cannot be read, or it gives a file two values; it
        names the lines.
    """
    table = table.resolve()
    records = parse_table(table)
    names = name_columns(records)
    wanted = match_column(names, column)
    if not wanted:
        raise DatasetError(
            f"{table} has no column {column!r}. Expected one of: {', '.join(map(ascii, names))}."
        )
    path_column, split_column = find_path_column(table, names), find_any_case(names, "split")
    finder = FileFinder(table.parent, stem=table.stem)
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, fields in records:
        given = read_text_field(table, line, fields, path_column)
        split = read_split(table, line, fields, split_column)
        normal = normalise_path(table, line, given)
        path = find_file(table, line, normal, split=split, finder=finder) or normal
        value = read_text_field(table, line, fields, wanted, optional=True).strip()
        if values.setdefault(path, value) != value:
            raise DatasetError(
                f"{table}: lines {lines[path]} and {line} list {path!a} twice, with {wanted!r} as "
                f"{values[path]!a} and as {value!a}. Take one of them out."
            )
        lines.setdefault(path, line)
    return values

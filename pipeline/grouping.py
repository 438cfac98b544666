"""What `--group-by` means: the store's own groups, a column of its table, or part of the paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pipeline.datasets.columns import has_column, is_table, list_columns, read_column
from pipeline.datasets.parsing import TABLE_EXTENSIONS
from pipeline.errors import ConfigError, DatasetError
from pipeline.records import SampleTable
from pipeline.splits import assign_groups, match_groups

Table = TypeVar("Table", bound=SampleTable)

OWN = "group"


def group_table(table: Table, group_by: str) -> tuple[Table, tuple[str, ...]]:
    """Put the rows of a table into groups that a split keeps together.

    Parameters
    ----------
    table : SampleTable or FeatureTable
    group_by : str
        "group" for the groups that the store has; a column of the table that the data set came
        from; or else a regular expression for paths, see `match_groups`.

    Returns
    -------
    table : SampleTable or FeatureTable
        The same rows with their groups.
    notes : tuple of str
        How many groups there are, and how many images are in none.

    Raises
    ------
    ConfigError
        If there is no such column, or the expression or the groups make no sense.
    DatasetError
        If the table cannot be read, or knows none of the images.
    """
    if group_by == OWN:
        _check_own(table)
        return table, tuple(_describe(table, "of the data set"))
    file = _find_file(table)
    if file is not None and has_column(file, group_by):
        grouped = assign_groups(table, _read_groups(table, file, group_by))
        return grouped, tuple(_describe(grouped, f"by the column {group_by!r} of {file.name}"))
    if re.fullmatch(r"\w+", group_by):
        _check_word(table, file, group_by)
    grouped = assign_groups(table, match_groups(table.paths, group_by))
    return grouped, tuple(_describe(grouped, f"by '{group_by}' in the paths"))


def _check_own(table: SampleTable) -> None:
    if (table.group < 0).all():
        raise ConfigError(
            f"--group-by group: {table.dataset} came without groups. Expected a table with a "
            "column 'group'. Add one and run extract again, or name another column or a regular "
            "expression for paths."
        )


def _is_from_table(table: SampleTable) -> bool:
    return Path(table.source).suffix.lower() in TABLE_EXTENSIONS


def _find_file(table: SampleTable) -> Path | None:
    """Return the table that the data set came from, if it did and the file is still there.

    The folder that the paths count from is its own. What --dataset was is the way to it from the
    folder where extract was called, which need not be this one.
    """
    source = Path(table.source).expanduser()
    candidates = (Path(table.root) / source.name, source)
    return next((path for path in candidates if is_table(path)), None)


def _read_groups(table: SampleTable, file: Path, column: str) -> list[str]:
    values = read_column(file, column)
    if not any(path in values for path in table.paths):
        raise DatasetError(
            f"{file} lists none of the {len(table.paths):,} images in the store, such as "
            f"{table.paths[0]!r}. It has changed since: run extract again."
        )
    groups = [values.get(path, "") for path in table.paths]
    if not any(groups):
        raise ConfigError(
            f"--group-by {column}: {file} has no value in that column for any of the "
            f"{len(groups):,} images. Fill it in, or name another column."
        )
    return groups


def _check_word(table: SampleTable, file: Path | None, word: str) -> None:
    """Refuse a word that can only have been meant as a column."""
    if file is not None:
        raise ConfigError(
            f"--group-by {word}: {file} has no such column. Expected one of "
            f"{', '.join(map(ascii, list_columns(file)))}, or a regular expression for paths, such "
            rf"as '({word}\d+)'."
        )
    if _is_from_table(table):
        raise ConfigError(
            f"--group-by {word}: the table {table.source}, where that may be a column, is not "
            f"there any more (looked in {table.root}, too). Put it back, or give a regular "
            rf"expression for paths, such as '({word}\d+)'."
        )


def _describe(table: SampleTable, by: str) -> Iterator[str]:
    grouped = table.group >= 0
    n_groups, n_grouped = len(set(table.group[grouped].tolist())), int(grouped.sum())
    yield f"{n_grouped:,} images are in {n_groups:,} groups {by}."
    if n_grouped < len(grouped):
        n_alone = len(grouped) - n_grouped
        are = "1 image is" if n_alone == 1 else f"{n_alone:,} images are"
        yield f"{are} in no group and split one by one."
    if n_groups == n_grouped:
        yield "Each group is one image: --group-by changes nothing."

"""Images to be looked at, as they are given: files, folders, tables, and lists of paths."""

# ruff: noqa: PTH100, PTH112, PTH117, PTH118, PTH120
# Paths are strings here: a Path for each of 100,000 files takes longer than listing them.

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.columns import is_table
from pipeline.datasets.fields import (
    find_any_case,
    find_file,
    find_path_column,
    name_columns,
    normalise_path,
    read_split,
    read_text_field,
)
from pipeline.datasets.lookup import FileFinder
from pipeline.datasets.parsing import parse_table
from pipeline.datasets.scan import begins_like_image, looks_like_image, scan_folder
from pipeline.errors import DatasetError, EmptyDatasetError

LIST = "-"
"""Stands for a list of paths on stdin."""

NO_IMAGE = "no image by name and content"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFiles:
    """Files in the order in which they are to be answered.

    Attributes
    ----------
    paths : tuple of str
        As they were given: relative ones count from the current folder.
    ignored : Counter
        How many files and folders were passed over in folders, by reason.
    """

    paths: tuple[str, ...]
    ignored: Counter[str]


def list_given(words: Sequence[str], *, read_list: Callable[[], bytes]) -> GivenFiles:
    """Return the files that some words mean.

    Parameters
    ----------
    words : sequence of str
        Each is a file; a folder, whose files are taken in the order of their paths' bytes, hidden
        ones and those that are no image by name and content left out; a table with a column of
        paths, whatever its other columns are; or `-` for a list of paths.
    read_list : callable
        Returns the list: paths separated by line feeds, or by NULs if it holds any.

    Raises
    ------
    DatasetError
        If a word means nothing, or a folder or a table cannot be read.
    EmptyDatasetError
        If there is no file at all.
    """
    paths: list[str] = []
    ignored: Counter[str] = Counter()
    for word in words:
        if word == LIST:
            paths += split_list(read_list())
        elif os.path.isdir(word):
            paths += _list_folder(word, ignored)
        elif is_table(Path(word)):
            paths += _list_table(Path(word))
        elif os.path.lexists(word):
            paths.append(word)
        else:
            raise DatasetError(
                f"There is no file or folder {word!a}. Expected an image, a folder, a CSV or JSONL "
                f"file with a column of paths, or {LIST} for a list of paths on stdin."
            )
    if not paths:
        shown = ["the list on stdin" if word == LIST else ascii(word) for word in words[:3]]
        named = ", ".join(shown) or "no path"
        passed = ", ".join(f"{n:,} {reason}" for reason, n in sorted(ignored.items()))
        raise EmptyDatasetError(
            f"There is no image in {named}{f' ({passed})' if passed else ''}. Expected at least "
            "one."
        )
    return GivenFiles(paths=tuple(paths), ignored=ignored)


def split_list(data: bytes) -> list[str]:
    """Return the paths of a list: separated by line feeds, or by NULs if it holds any."""
    if b"\0" in data:
        return [os.fsdecode(path) for path in data.split(b"\0") if path]
    return [os.fsdecode(line.rstrip(b"\r")) for line in data.split(b"\n") if line.rstrip(b"\r")]


def _list_folder(folder: str, ignored: Counter[str]) -> list[str]:
    tree = scan_folder(Path(folder).resolve())
    ignored.update(tree.ignored)
    found = []
    for path in sorted(tree.files, key=os.fsencode):
        full = os.path.join(folder, path)
        if looks_like_image(path) or begins_like_image(full):
            found.append(full)
        else:
            ignored[NO_IMAGE] += 1
    return found


def _list_table(table: Path) -> list[str]:
    """Return the files of a table, row for row; one that does not exist stays."""
    where = table.resolve()
    records = parse_table(where)
    names = name_columns(records)
    if not records:
        raise EmptyDatasetError(f"{table} has no rows. Expected one row for each image.")
    path_column, split_column = find_path_column(where, names), find_any_case(names, "split")
    finder = FileFinder(where.parent, stem=where.stem)
    paths = []
    for line, fields in records:
        given = read_text_field(where, line, fields, path_column)
        normal = normalise_path(where, line, given)
        try:
            split = read_split(where, line, fields, split_column)
        except DatasetError:  # a column that is called so and means something else
            split = read_split(where, line, {}, "")
        found = find_file(where, line, normal, split=split, finder=finder)
        path = os.path.join(os.path.dirname(table), found or normal)
        paths.append(os.path.abspath(path) if os.path.isabs(given) else path)
    return paths

"""Read the text of a CSV or JSONL table."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import DatasetError

CSV_EXTENSIONS = (".csv", ".tsv", ".txt")
JSONL_EXTENSIONS = (".jsonl", ".ndjson")
TABLE_EXTENSIONS = CSV_EXTENSIONS + JSONL_EXTENSIONS
DELIMITERS = (",", ";", "\t", "|")

Record = tuple[int, Mapping[str, Any]]
"""The line where a row ends, and its fields by column."""


def parse_table(table: Path) -> list[Record]:
    """Read the rows of a table: JSONL by its extension, else CSV with any usual delimiter.

    Raises
    ------
    DatasetError
        If it cannot be read or parsed; names the line.
    """
    text = _read_text(table)
    jsonl = table.suffix.lower() in JSONL_EXTENSIONS
    return list(_parse_jsonl(table, text) if jsonl else _parse_csv(table, text))


def _read_text(table: Path) -> str:
    try:
        data = table.read_bytes()
    except OSError as exc:
        raise DatasetError(f"Cannot read {table}: {exc.strerror}.") from exc
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what Excel calls "Unicode text"
        return data.decode("utf-16", "replace")
    if b"\0" in data.lstrip(b"\r\n \0").partition(b"\n")[0]:
        raise DatasetError(
            f"{table} has zero bytes in its first line. Expected UTF-8; this looks like UTF-16 "
            "without the mark that says so. Save it as UTF-8: iconv -f UTF-16LE -t UTF-8."
        )
    # File names need not be UTF-8; surrogates bring their bytes through to the file system.
    return data.decode("utf-8-sig", "surrogateescape")


def _parse_csv(table: Path, text: str) -> Iterator[Record]:
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    try:
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if not names:
                names = [value.strip() for value in values]
                _check_unique(table, reader.line_num, names)
            elif len(values) != len(names):
                raise DatasetError(
                    f"{table}, line {reader.line_num}: expected {len(names)} values "
                    f"({delimiter.join(names)}), got {len(values)}. A value that contains "
                    f"{delimiter!r} must stand in double quotes."
                )
            else:
                yield reader.line_num, dict(zip(names, values, strict=True))
    except csv.Error as exc:
        raise DatasetError(f"{table}, line {reader.line_num}: not a valid CSV: {exc}.") from exc


def _check_unique(table: Path, line: int, names: Iterable[str]) -> None:
    """Refuse two columns of one name; several without any are the end of an Excel sheet."""
    twice = sorted(name for name, n in Counter(names).items() if name and n > 1)
    if twice:
        raise DatasetError(
            f"{table}, line {line}: more than one column is called {twice[0]!a}. Expected each "
            "name once. Rename the others or take them out."
        )


def _parse_jsonl(table: Path, text: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            # As pairs, since a dict would keep the last of two equal names without a word.
            pairs = json.loads(line, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError) as exc:
            raise DatasetError(f"{table}, line {number}: not valid JSON: {exc}.") from exc
        if not isinstance(pairs, _Pairs):
            kind = type(pairs).__name__
            raise DatasetError(
                f'{table}, line {number}: expected one object such as {{"file_name": "1.jpg", '
                f'"label": "cat"}} in each line, got a {kind}.'
            )
        _check_unique(table, number, (name for name, _ in pairs))
        yield number, {name: _as_dict(value) for name, value in pairs}


class _Pairs(list[tuple[str, Any]]):
    """The names and values of a JSON object, in their order."""


def _as_dict(value: object) -> object:
    return dict(value) if isinstance(value, _Pairs) else value

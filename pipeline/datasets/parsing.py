"""Read the text of a CSV or JSONL table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
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


def _parse_jsonl(table: Path, text: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise DatasetError(f"{table}, line {number}: not valid JSON: {exc}.") from exc
        if not isinstance(fields, dict):
            kind = type(fields).__name__
            raise DatasetError(
                f'{table}, line {number}: expected one object such as {{"file_name": "1.jpg", '
                f'"label": "cat"}} in each line, got a {kind}.'
            )
        yield number, fields

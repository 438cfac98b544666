"""Answers as lines of a file: CSV and JSON lines.

Paths and class names are user text. In CSV they are written as in predictions.csv: what a
spreadsheet would run as a formula gets ./ or an apostrophe in front, and names that are not UTF-8
keep their own bytes.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pipeline.durable import make_folder, partial_path, rename, step, sync
from pipeline.errors import ConfigError
from pipeline.predicting.settling import PROBABILITY
from pipeline.records import Answer, csv_name, csv_path

TABLE, CSV, JSONL = "table", "csv", "jsonl"
FORMATS = (TABLE, CSV, JSONL)
_BY_SUFFIX = {".csv": CSV, ".jsonl": JSONL, ".ndjson": JSONL}


class Output(Protocol):
    """A file that takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Write bytes."""
        ...

    def flush(self) -> None:
        """Hand on what was written, so that whoever reads it need not wait."""
        ...


def choose_format(name: str | None, to: Path | None) -> str:
    """Return how answers are to be written, by what was asked for or by the name of the file.

    Raises
    ------
    ConfigError
        If there is no such format, or the file's name tells of none.
    """
    if name is not None and name not in FORMATS:
        raise ConfigError(f"--format must be one of {', '.join(FORMATS)}. Got: {name!r}.")
    if to is None:
        return name or TABLE
    if name == TABLE:
        raise ConfigError("A table is printed, not written: leave out --to, or --format table.")
    found = name or _BY_SUFFIX.get(to.suffix.lower())
    if found is None:
        raise ConfigError(
            f"--to {to} ends in {to.suffix!r}; expected .csv or .jsonl. Name the file so, or add "
            "--format csv or --format jsonl."
        )
    return found


class AnswerLines:
    """Writes answers one after the other.

    Parameters
    ----------
    output : file of bytes
    name : str
        "csv" or "jsonl".
    kind : str
        "probability" or "score": what stands beside the classes.
    topk : int
        How many classes have columns in CSV.
    has_distance, has_set : bool
        Whether the answers have a distance and a set of labels: columns in CSV.
    """

    def __init__(
        self,
        output: Output,
        name: str,
        *,
        kind: str,
        topk: int,
        has_distance: bool = False,
        has_set: bool = False,
    ) -> None:
        self._output = output
        self._is_csv = name == CSV
        self._kind = kind
        self._topk = topk
        self._has_distance, self._has_set = has_distance, has_set
        if self._is_csv:
            self._write_row(self._head())

    def write(self, answers: Sequence[Answer]) -> None:
        """Write some more answers."""
        if self._is_csv:
            for answer in answers:
                self._write_row(self._row(answer))
        else:
            lines = (json.dumps(answer.to_dict(), allow_nan=False) + "\n" for answer in answers)
            self._output.write("".join(lines).encode("ascii"))
        self._output.flush()

    def _head(self) -> list[str]:
        places = [f"_{place}" if place > 1 else "" for place in range(1, self._topk + 1)]
        head = ["path", "label"]
        head += [f"{name}{place}" for place in places for name in ("class", self._kind)]
        head += ["distance"] if self._has_distance else []
        head += ["label_set"] if self._has_set else []
        return [*head, "reason"]

    def _row(self, answer: Answer) -> list[str]:
        numbers = answer.probabilities if self._kind == PROBABILITY else answer.scores
        row = [csv_path(answer.path), csv_name(answer.label)]
        for place in range(self._topk):
            is_there = place < len(answer.classes)
            row.append(csv_name(answer.classes[place]) if is_there else "")
            row.append(repr(numbers[place]) if is_there else "")
        if self._has_distance:
            row.append("" if answer.distance is None else repr(answer.distance))
        if self._has_set:
            # As JSON, for a name may hold any sign that could stand between two.
            chosen = answer.label_set
            row.append("" if chosen is None else json.dumps(list(chosen), ensure_ascii=False))
        return [*row, answer.reason]

    def _write_row(self, row: Sequence[str]) -> None:
        self._output.write(format_csv([row]))


def format_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows as CSV (RFC 4180); names that are not UTF-8 keep their own bytes."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


@contextmanager
def writing_whole(path: Path) -> Iterator[Output]:
    """Yield a file that takes its place once the block has ended well, and vanishes otherwise.

    Raises
    ------
    OSError
    """
    make_folder(path.parent)
    partial = partial_path(path)
    try:
        step("write", path)
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync(path.parent)

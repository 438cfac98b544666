"""How long each run took that wrote into a store, in a list beside it.

Not in the store, whose bytes are the same however often it was stopped. Nothing relies on the list:
it is not flushed, and a line that was cut off is passed over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

_REPLACED = "replaced"


def runs_jsonl(store: Path) -> Path:
    """Return where the runs that wrote into a store are listed."""
    return store.with_suffix(".runs.jsonl")


def log_run(store: Path, run: Mapping[str, Any]) -> None:
    """Append a run to the list, if the disk allows it."""
    with suppress(OSError), runs_jsonl(store).open("a+b") as file:
        if file.tell() and not _ends_a_line(file):
            file.write(b"\n")  # after a line that was cut off
        file.write(json.dumps(run, sort_keys=True).encode() + b"\n")


def log_replacement(store: Path) -> None:
    """Note that what `extract --overwrite` made has just taken the store's place.

    The runs before it, but for its own, made what is gone.
    """
    log_run(store, {_REPLACED: True})


def read_runs(store: Path) -> list[dict[str, Any]]:
    """Return the runs that made what a store holds, the oldest first, as far as they are listed."""
    try:
        lines = runs_jsonl(store).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    runs: list[dict[str, Any]] = []
    for line in lines:
        with suppress(ValueError):
            run = json.loads(line)
            if isinstance(run, dict):
                runs = _last_overwrite(runs) if _REPLACED in run else [*runs, run]
    return runs


def _last_overwrite(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last run and those before it that left it something to overwrite."""
    first = len(runs) - 1
    while first > 0 and runs[first - 1].get("overwrite") and runs[first - 1].get("n_left"):
        first -= 1
    return runs[max(first, 0) :]


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"

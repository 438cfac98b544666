"""How long each run took that wrote into a store, in a list beside it.

Not in the store, whose bytes depend on nothing but what was extracted. Nothing relies on the list:
it is not flushed, and a line that was cut off is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def runs_jsonl(store: Path) -> Path:
    """Return where the runs that wrote into a store are listed."""
    return store.with_suffix(".runs.jsonl")


def log_run(store: Path, run: Mapping[str, Any]) -> None:
    """Append a run to the list, if the disk allows it."""
    with suppress(OSError), runs_jsonl(store).open("a", encoding="utf-8") as file:
        file.write(json.dumps(run, sort_keys=True) + "\n")


def read_runs(store: Path) -> list[dict[str, Any]]:
    """Return the runs that are listed, the oldest first."""
    try:
        lines = runs_jsonl(store).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    runs = []
    for line in lines:
        with suppress(ValueError):
            run = json.loads(line)
            if isinstance(run, dict):
                runs.append(run)
    return runs

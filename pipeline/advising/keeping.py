"""What was probed, kept beside where the store of the same values lies or would lie.

It is small, nothing depends on it, and it is never taken for what it is not: whatever is damaged,
or was asked otherwise, is probed again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.config import AdviseConfig
from pipeline.durable import write_file
from pipeline.records import Counts, Probed

_FORMAT = 1


def advice_path(store: Path) -> Path:
    """Return where it lies."""
    return store.with_name(f"{store.stem}.advice.json")


def find_probed(store: Path, config: AdviseConfig) -> tuple[Counts, Probed] | None:
    """Return what an earlier run found of the same images, if it was asked as much.

    Parameters
    ----------
    store : Path
        Of the last layer's values; it need not be there. Its name says which images and network.
    config : AdviseConfig
    """
    try:
        kept = json.loads(advice_path(store).read_text(encoding="utf-8"))
        found = Counts(**kept["counts"]), Probed.from_dict(kept["probed"])
        if kept["asked"] != _describe(config):
            return None
        had_time = not found[1].was_cut or kept["max_time"] >= config.max_time
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if had_time else None


def keep_probed(store: Path, config: AdviseConfig, counts: Counts, probed: Probed) -> None:
    """Keep it for the next time; in a cache that cannot be written, do without."""
    kept = {
        "asked": _describe(config),
        "max_time": config.max_time,
        "counts": asdict(counts),
        "probed": probed.to_dict(),
    }
    with suppress(OSError):
        write_file(advice_path(store), json.dumps(kept, indent=2).encode())


def _describe(config: AdviseConfig) -> dict[str, Any]:
    return {"format": _FORMAT, "limit": config.limit, "seed": config.seed}

"""With which settings a store was made, read back from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.cache import read_info
from pipeline.config import ExtractConfig
from pipeline.errors import CacheCorruptError, CacheError


def settings_of(store: Path) -> ExtractConfig:
    """Return the settings that a store was made with.

    Raises
    ------
    CacheCorruptError
        If they are damaged.
    CacheError
        If no settings make it: its images were given as loose files.
    """
    settings: Mapping[str, Any] = read_info(store).provenance.get("settings", {})
    if settings.get("dataset") == "":
        raise CacheError(
            f"{store} is of loose files, not of a data set. Delete it: TransferValues computes "
            "again what it misses."
        )
    try:
        paths = {name: Path(settings[name]) for name in ("data_dir",)}
        layers = tuple(settings["layers"])
        cache_dir = store.absolute().parent.parent
        return ExtractConfig(**{**settings, **paths, "layers": layers, "cache_dir": cache_dir})
    except (KeyError, TypeError, ValueError) as exc:
        raise CacheCorruptError(
            f"{store} does not say how it was made ({exc}). Run its extract command with "
            "--overwrite."
        ) from exc

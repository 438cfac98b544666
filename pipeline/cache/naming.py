"""Which store a user means: by its path, its file name, or the beginning of its key."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.cache.outline import list_store_paths, read_outline
from pipeline.errors import CacheError, CacheNotFoundError, ConfigError

_KEY = re.compile(r"[0-9a-f]{1,64}")


def resolve_store(cache_dir: Path, name: str) -> Path:
    """Return the path of a store that may be damaged, but is there.

    Parameters
    ----------
    cache_dir : Path
    name : str
        A path; a store's name in the cache with or without its data set's folder and `.zarr`; or
        the beginning of its key.

    Raises
    ------
    CacheNotFoundError
        If no store is meant.
    ConfigError
        If several are.
    """
    given = Path(name)
    for path in (given, Path(f"{name}.zarr"), cache_dir / name, cache_dir / f"{name}.zarr"):
        if path.name and path.suffix == ".zarr" and path.exists():
            return path
    if given.exists() and (given.resolve() / "zarr.json").exists():  # `.` within a store
        return given.resolve()
    paths = list_store_paths(cache_dir)
    found = [path for path in paths if name in (path.name, path.stem)]
    if not found and _KEY.fullmatch(name):
        found = [path for path in paths if _has_key(path, name)]
    if len(found) > 1:
        listed = "\n".join(f"  {path}" for path in found)
        raise ConfigError(f"{name!r} may mean any of\n{listed}\nGive one of these paths.")
    if not found:
        raise CacheNotFoundError(
            f"There is no store {name!r}, neither as a path nor as a name or the beginning of a "
            f"key in {cache_dir}. Run: pipeline cache ls"
        )
    return found[0]


def _has_key(path: Path, prefix: str) -> bool:
    short = path.stem.rpartition("-")[2]
    if not short.startswith(prefix[:8]):
        return False
    try:
        return len(prefix) <= len(short) or read_outline(path).about.key.startswith(prefix)
    except CacheError:
        return False

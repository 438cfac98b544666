"""Reading stores: what they say about themselves, and their rows, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.cache.layout import (
    REDO_HINT,
    RowIds,
    block_digest,
    content_digest,
    open_array,
    open_store,
    read_array,
)
from pipeline.errors import (
    CacheCorruptError,
    CacheError,
    CacheIncompleteError,
    CacheNotFoundError,
)
from pipeline.records import FeatureTable, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What a store says about itself without its rows being read.

    Attributes
    ----------
    path : Path
    dataset, model, key : str
    content_sha256 : str
        Empty until the store is complete.
    n_rows, width : int
        Images found, and transfer values a row.
    complete : bool
    recipe, provenance : mapping
    """

    path: Path
    dataset: str
    model: str
    key: str
    content_sha256: str
    n_rows: int
    width: int
    complete: bool
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]


def read_info(path: Path) -> StoreInfo:
    """Read a store's attributes.

    Raises
    ------
    CacheNotFoundError
        If there is nothing at `path`.
    CacheCorruptError
        If it is not a readable store of this format and version.
    """
    group = open_store(path, "r")
    attributes = group.attrs
    n, width = open_array(group, "features").shape
    return StoreInfo(
        path=path,
        dataset=str(attributes["dataset"]),
        model=str(attributes["recipe"]["model"]),  # type: ignore[index, call-overload]
        key=str(attributes["key"]),
        content_sha256=str(attributes["content_sha256"] or ""),
        n_rows=n,
        width=width,
        complete=bool(attributes["complete"]),
        recipe=attributes["recipe"],  # type: ignore[arg-type]
        provenance=attributes["provenance"],  # type: ignore[arg-type]
    )


def find_store(cache_dir: Path, *, dataset: str | None = None, model: str | None = None) -> Path:
    """Return the store that was completed last, of one data set or model if named.

    Raises
    ------
    CacheNotFoundError
        If there is no complete store that fits.
    """
    stores = [
        info
        for info in list_stores(cache_dir)
        if info.complete
        and (dataset is None or info.dataset == dataset)
        and (model is None or info.model == model)
    ]
    if not stores:
        wanted = " ".join(
            f"{flag} {value}"
            for flag, value in (("--dataset", dataset), ("--model", model))
            if value
        )
        raise CacheNotFoundError(
            f"No finished extraction{' of ' + wanted if wanted else ''} in {cache_dir}. "
            f"Run: extract {wanted}".rstrip()
        )
    return max(stores, key=lambda info: (info.path / "zarr.json").stat().st_mtime_ns).path


def list_stores(cache_dir: Path) -> list[StoreInfo]:
    """Return every readable store below `cache_dir`, sorted by path."""
    infos = []
    for path in sorted(cache_dir.glob("*/*.zarr")):
        try:
            infos.append(read_info(path))
        except CacheError:  # not ours, or damaged: reading it by name says what is wrong
            continue
    return infos


def read_features(path: Path) -> FeatureTable:
    """Read the usable rows of a complete store, checking every block against its digest.

    Parameters
    ----------
    path : Path

    Returns
    -------
    FeatureTable
        float32, whatever the store's dtype.

    Raises
    ------
    CacheNotFoundError, CacheIncompleteError, CacheCorruptError
    """
    group = open_store(path, "r")
    if not group.attrs["complete"]:
        raise CacheIncompleteError(
            f"The extraction into {path} has not finished. Run the same extract command again: "
            "it goes on where it stopped."
        )
    try:
        return _read_checked(path, group)
    except (ValueError, RuntimeError, OSError, KeyError) as exc:  # a codec, a checksum, the disk
        raise CacheCorruptError(f"{path} cannot be read: {exc}. {REDO_HINT}") from exc


def _read_checked(path: Path, group: zarr.Group) -> FeatureTable:
    if content_digest(group) != group.attrs["content_sha256"]:
        raise CacheCorruptError(
            f"{path}: labels, paths or commits changed after writing. {REDO_HINT}"
        )
    ids = RowIds(group)
    source, commit = open_array(group, "features"), read_array(open_array(group, "commit"))
    status = read_array(open_array(group, "status"))
    ok = status == Status.OK
    features = np.empty((int(ok.sum()), source.shape[1]), np.float32)
    length, filled = source.chunks[0], 0
    for block, digest in enumerate(commit):
        span = slice(block * length, min((block + 1) * length, len(status)))
        values = np.asarray(source[span])
        if block_digest(block, ids.of(span), status[span], values) != digest.tobytes():
            raise CacheCorruptError(
                f"{path}: block {block} (rows {span.start} to {span.stop - 1}) of features or "
                f"status is not what was written. {REDO_HINT}"
            )
        kept = values[ok[span]]
        features[filled : filled + len(kept)] = kept
        filled += len(kept)
    rows, paths = np.flatnonzero(ok), ids.decode_paths()
    attributes: Mapping[str, Any] = group.attrs
    return FeatureTable(
        features=features,
        labels=read_array(open_array(group, "labels"))[rows],
        class_names=tuple(attributes["class_names"]),
        split=read_array(open_array(group, "split"))[rows],
        group=read_array(open_array(group, "group"))[rows],
        sha256=ids.sha256[rows],
        paths=tuple(paths[row] for row in rows),
        root=attributes["provenance"]["root"],
        dataset=attributes["dataset"],
        model=attributes["recipe"]["model"],
        key=attributes["key"],
        recipe=attributes["recipe"],
        content_sha256=attributes["content_sha256"],
        n_found=len(status),
        skipped=count_skipped(status),
    )


def read_status(path: Path) -> NDArray[np.uint8]:
    """Return the status of every row of a store, uint8 of shape (n_rows,)."""
    return read_array(open_array(open_store(path, "r"), "status"))


def count_skipped(status: NDArray[np.uint8]) -> dict[str, int]:
    """Count the rows that are not OK by their reason."""
    values, counts = np.unique(status[status != Status.OK], return_counts=True)
    return {Status(v).reason: int(n) for v, n in zip(values, counts, strict=True)}

"""Copy the usable rows of a store into files that other programs read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import StoredRows, count_bytes
from pipeline.errors import CacheIncompleteError
from pipeline.exporting import ExportRows, check_target, write_export
from pipeline.invocation import extract_command
from pipeline.records import OnProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What `pipeline cache export` wrote.

    Attributes
    ----------
    store, to : Path
    format : str
    n_rows, n_features, n_bytes : int
    n_skipped : int
        Rows that have no values and were left out.
    """

    store: Path
    to: Path
    format: str
    n_rows: int
    n_features: int
    n_bytes: int
    n_skipped: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "store": str(self.store), "to": str(self.to)}


def export_store(
    store: Path,
    to: Path,
    format_name: str,
    *,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Export:
    """Write the rows of a complete store that have values; every block is checked.

    Parameters
    ----------
    store : Path
    to : Path
        A folder for "npy", otherwise a file.
    format_name : str
        "npy", "csv" or "parquet".
    overwrite : bool
        Replace an earlier export.
    on_progress : callable, optional
        Called with (rows written, rows in all).

    Raises
    ------
    CacheError
        If the store cannot be read, is not complete, or is written meanwhile.
    PipelineError
        If something is in the way at `to`, or it cannot be written. Nothing half made is left.
    """
    check_target(to, format_name, overwrite=overwrite)
    stored = StoredRows(store)
    if not stored.about.complete:
        command = extract_command(stored.about.provenance.get("settings", {}), store)
        raise CacheIncompleteError(
            f"The extraction into {store} has not finished. Finish it first: {command}"
        )
    rows = _choose_rows(stored)
    write_export(to, format_name, rows, _iter_values(stored, len(rows), on_progress))
    return Export(
        store=store,
        to=to,
        format=format_name,
        n_rows=len(rows),
        n_features=rows.n_features,
        n_bytes=count_bytes(to),
        n_skipped=len(stored) - len(rows),
    )


def _choose_rows(stored: StoredRows) -> ExportRows:
    kept, about = np.flatnonzero(stored.usable), stored.about
    return ExportRows(
        paths=tuple(stored.paths[row] for row in kept),
        labels=stored.labels[kept],
        class_names=about.class_names,
        split=stored.split[kept],
        sha256=stored.sha256[kept],
        n_features=stored.width,
        about={
            "dataset": about.dataset,
            "root": about.root,
            "key": about.key,
            "content_sha256": about.content_sha256,
            "recipe": about.recipe.to_dict(),
            "versions": about.provenance.get("versions", {}),
        },
    )


def _iter_values(
    stored: StoredRows, n_rows: int, on_progress: OnProgress | None
) -> Iterator[NDArray[np.float32]]:
    done = 0
    for rows, values in stored.iter_values():
        if len(rows):
            yield values
            done += len(rows)
            if on_progress:
                on_progress(done, n_rows)

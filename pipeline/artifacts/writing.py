"""Writing a fit so that a kill at any moment leaves no fit, or a whole one."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib

from pipeline.artifacts.description import (
    INFO,
    METRICS,
    MODEL,
    PREDICTIONS,
    describe,
    gated,
    read_info,
    sealed,
    to_json,
)
from pipeline.artifacts.leftovers import list_partial_fits
from pipeline.artifacts.locking import lock_fits
from pipeline.config import FitConfig
from pipeline.durable import make_folder, partial_path, remove, replace_folder, write_file
from pipeline.records import Report, SampleTable

LOCK_SECONDS = 60


def save_fit(
    folder: Path,
    *,
    classifier: Any,
    table: SampleTable,
    config: FitConfig,
    report: Report,
    predictions: bytes,
) -> None:
    """Write a fit's folder: built beside its place, flushed, then renamed into it.

    A fit that is already there is replaced, and what killed fits of the same store left half
    made is removed.

    Parameters
    ----------
    folder : Path
        From `fit_path`.
    classifier : scikit-learn Pipeline
    table : SampleTable
    config : FitConfig
    report : Report
    predictions : bytes
        The content of predictions.csv.

    Raises
    ------
    OSError
        If it cannot be written. Nothing half made is left behind, and an older fit stays.
    CacheLockedError
        If another process keeps writing into the same folder for a minute.
    CacheError
        If the file system has no locks.
    """
    contents: dict[str, bytes] = {
        MODEL: _pickle(classifier),
        METRICS: to_json(report.to_dict()),
        PREDICTIONS: predictions,
    }
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[INFO] = describe(table, config, files, report.gates)
    make_folder(folder.parent)
    with lock_fits(folder.parent, timeout=LOCK_SECONDS):
        # Whoever made these held the lock, and holds it no more: they were killed.
        for left in list_partial_fits(folder.parent):
            remove(left)
        building = partial_path(folder)
        try:
            for name, content in contents.items():
                write_file(building / name, content)
            replace_folder(building, folder)
        except BaseException:
            with contextlib.suppress(OSError):
                remove(building)
            raise


def mark_gates(folder: Path, gates: Sequence[Mapping[str, Any]]) -> bool:
    """Write into a fit's model.json what was demanded of it, and whether it is usable.

    Nothing is written where it says so already.

    Returns
    -------
    bool
        Whether it said something else.

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
        If the fit cannot be read.
    OSError
        If it cannot be written.
    """
    info = read_info(folder)
    marked = {**info, **gated(gates)}
    if marked == info:
        return False
    with lock_fits(folder.parent, timeout=LOCK_SECONDS):
        write_file(folder / INFO, to_json(sealed(marked)), within=folder)
    return True


def _pickle(classifier: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(classifier, buffer, compress=("zlib", 1))
    return buffer.getvalue()

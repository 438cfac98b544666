"""Writing a fit so that a kill at any moment leaves no fit, or a whole one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import joblib

from pipeline.artifacts.description import INFO, METRICS, MODEL, PREDICTIONS, describe, to_json
from pipeline.config import FitConfig
from pipeline.durable import make_folder, remove, rename, sync, write_file
from pipeline.errors import ClassifierError
from pipeline.records import FeatureTable, Report

LOCK_SECONDS = 60


def save_fit(
    folder: Path,
    *,
    classifier: Any,
    table: FeatureTable,
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
    table : FeatureTable
    config : FitConfig
    report : Report
    predictions : bytes
        The content of predictions.csv.

    Raises
    ------
    OSError
        If it cannot be written. Nothing half made is left behind.
    ClassifierError
        If another process keeps writing into the same folder for a minute.
    """
    contents: dict[str, bytes] = {
        MODEL: _pickle(classifier),
        METRICS: to_json(report.to_dict()),
        PREDICTIONS: predictions,
    }
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[INFO] = describe(table, config, files)
    make_folder(folder.parent)
    with _locked(folder.parent):
        building = _partial_name(folder)
        try:
            for name, content in contents.items():
                write_file(building / name, content)
            _move_into_place(building, folder)
        except BaseException:
            with contextlib.suppress(OSError):
                remove(building)
            raise


def _pickle(classifier: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(classifier, buffer, compress=("zlib", 1))
    return buffer.getvalue()


@contextlib.contextmanager
def _locked(fits: Path) -> Iterator[None]:
    """Hold the lock of a store's fits and clear away what its earlier holders left."""
    lock = filelock.FileLock(fits / ".lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except filelock.Timeout as exc:
        raise ClassifierError(
            f"Another process is writing a fit into {fits}. Wait for it to end, then run fit again."
        ) from exc
    try:
        # Whoever made these held the lock, and holds it no more: they were killed.
        for left in sorted(fits.glob(".*.partial")):
            remove(left)
        yield
    finally:
        lock.release()


def _partial_name(folder: Path) -> Path:
    """Return a new name beside a fit, under which nothing is looked for."""
    return folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")


def _move_into_place(building: Path, folder: Path) -> None:
    doomed = _partial_name(folder)
    replaces = folder.exists()
    if replaces:
        rename(folder, doomed)
    rename(building, folder)
    sync(folder.parent)
    if replaces:
        remove(doomed)

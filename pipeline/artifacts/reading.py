"""Reading a fit back, every file checked against the hash that model.json vouches with."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.description import INFO, METRICS, REDO_HINT, VOUCHED, read_info
from pipeline.errors import ArtifactTamperedError, ClassifierError, ClassifierNotFoundError
from pipeline.records import Report


def read_vouched(folder: Path, name: str, info: Mapping[str, Any]) -> bytes:
    """Return one of the files that a fit's model.json vouches for.

    Parameters
    ----------
    folder : Path
    name : str
        One of `VOUCHED`.
    info : mapping
        From `read_info`.

    Raises
    ------
    ArtifactTamperedError
        If it is not what was written.
    ClassifierError
        If it cannot be read.
    """
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError as exc:
        raise ArtifactTamperedError(f"{folder / name} is gone. {REDO_HINT}") from exc
    except OSError as exc:
        raise ClassifierError(f"{folder / name} cannot be read: {exc}.") from exc
    found, expected = hashlib.sha256(content).hexdigest(), info["files"][name]
    if found != expected:
        raise ArtifactTamperedError(
            f"{folder / name} is not the file that fit wrote: expected SHA-256 {expected}, found "
            f"{found}. It was not opened. {REDO_HINT}"
        )
    return content


def read_file(folder: Path, name: str) -> bytes:
    """Return one of a fit's files, checked against its hash: metrics.json, predictions.csv, …."""
    return read_vouched(folder, name, read_info(folder))


def verify_files(folder: Path) -> None:
    """Check every file of a fit against its hash.

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
    """
    info = read_info(folder)
    for name in VOUCHED:
        read_vouched(folder, name, info)


def read_report(folder: Path, info: Mapping[str, Any] | None = None) -> Report:
    """Read the report of a fit.

    Parameters
    ----------
    folder : Path
    info : mapping, optional
        From `read_info`, where what is read must be of the fit that this describes.

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
    """
    content = read_vouched(folder, METRICS, read_info(folder) if info is None else info)
    try:
        return Report.from_dict(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ArtifactTamperedError(
            f"{folder / METRICS} is not a report that fit writes: {type(exc).__name__}: {exc}. "
            f"{REDO_HINT}"
        ) from exc


def mark_used(folder: Path) -> None:
    """Make a fit the newest one, where the folder can be written."""
    try:
        os.utime(folder / INFO)
    except OSError:  # a read-only cache: only the order of fits is at stake
        return


def newest_fit(
    cache_dir: Path,
    *,
    dataset: str | None = None,
    model: str | None = None,
    clf: str | None = None,
) -> Path:
    """Return the fit that was made or asked for last, of one data set, model or clf if named.

    Raises
    ------
    ClassifierNotFoundError
        If there is no fit that fits.
    """
    wanted = {"dataset": dataset, "model": model, "clf": clf}
    asked = {name: value for name, value in wanted.items() if value is not None}
    fits = [
        folder
        for folder, info in _list_fits(cache_dir)
        if all(info.get(name) == value for name, value in asked.items())
    ]
    if not fits:
        words = " ".join(f"--{name} {value}" for name, value in asked.items())
        raise ClassifierNotFoundError(
            f"No fit{' of ' + words if words else ''} in {cache_dir}. Run: fit {words}".rstrip()
        )
    return max(fits, key=lambda folder: (folder / INFO).stat().st_mtime_ns)


def _list_fits(cache_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(cache_dir.glob(f"*/*.fits/[!.]*/{INFO}")):
        try:
            info = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue  # damaged: reading it by its name says what is wrong
        if isinstance(info, dict):
            yield path.parent, info

"""What a fit leaves on disk: a folder beside the store, written whole or not at all.

    cache/<dataset>/<model>-<key8>.zarr                         the transfer values
    cache/<dataset>/<model>-<key8>.fits/<clf>-<hash8>/          a fit on them
        model.joblib       the scikit-learn Pipeline
        model.json         what it was fitted on and by, and the SHA-256 of the other files
        metrics.json       the Report
        predictions.csv    every test row: path, label, prediction, split, score:<class>…

Unpickling runs code. The bytes of model.joblib are therefore read once, hashed, and unpickled
only if model.json, itself guarded by a digest, vouches for them. That finds damage and mixed-up
files; whoever can write both files can still run code, so load only fits from people you trust.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import platform
import secrets
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from pipeline import __version__
from pipeline.config import FitConfig
from pipeline.durable import sync, sync_tree
from pipeline.errors import ArtifactTamperedError, ClassifierError, ClassifierNotFoundError
from pipeline.records import FeatureTable, Report

FORMAT_VERSION = 1
MODEL, INFO, METRICS, PREDICTIONS = "model.joblib", "model.json", "metrics.json", "predictions.csv"
REDO_HINT = "Run fit again with --overwrite."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """A classifier that was read back.

    Attributes
    ----------
    classifier : scikit-learn Pipeline
    info : mapping
        The content of model.json: ``clf class_names recipe key content_sha256 config …``.
    """

    classifier: Any
    info: Mapping[str, Any]


def fit_path(store: Path, *, key: str, content_sha256: str, config: FitConfig) -> Path:
    """Return where the fit of a configuration on a store's values lies.

    The name ends in a hash over all that decides the outcome: the recipe and content of the
    transfer values, the settings, this package's version (its defaults are part of it) and
    scikit-learn's.
    """
    decisive = {
        "key": key,
        "content_sha256": content_sha256,
        "config": config.to_dict(),
        "transfer-values": __version__,
        "scikit-learn": version("scikit-learn"),
    }
    return store.with_suffix(".fits") / f"{config.clf}-{_digest(decisive)[:8]}"


def save_fit(
    folder: Path,
    *,
    classifier: Any,
    table: FeatureTable,
    config: FitConfig,
    report: Report,
    predictions: bytes,
) -> None:
    """Write a fit's folder: built beside its place, synced, then renamed into it.

    A fit that is already there is replaced.

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
        If it cannot be written; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    building.mkdir()
    try:
        joblib.dump(classifier, building / MODEL, compress=("zlib", 1))
        _write_json(building / METRICS, report.to_dict())
        (building / PREDICTIONS).write_bytes(predictions)
        files = {name: _hash_file(building / name) for name in (MODEL, METRICS, PREDICTIONS)}
        _write_json(building / INFO, _sealed(_describe(table, config, files)))
        sync_tree(building)
        _move_into_place(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _move_into_place(building: Path, folder: Path) -> None:
    doomed = building.with_suffix(".replaced")
    if folder.exists():
        folder.rename(doomed)
    try:
        building.rename(folder)
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        # Another process has just made the same fit: theirs is as good.
    sync(folder.parent)
    shutil.rmtree(doomed, ignore_errors=True)


def _describe(table: FeatureTable, config: FitConfig, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "format": "transfer-values fit",
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": table.dataset,
        "model": table.model,
        "clf": config.clf,
        "class_names": list(table.class_names),
        "n_features": int(table.features.shape[1]),
        "key": table.key,
        "recipe": dict(table.recipe),
        "content_sha256": table.content_sha256,
        "config": config.to_dict(),
        "versions": {
            "transfer-values": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("scikit-learn", "numpy", "joblib")},
        },
        "files": dict(files),
    }


def _sealed(info: dict[str, Any]) -> dict[str, Any]:
    return {**info, "sha256": _digest(info)}


def _digest(fields: Mapping[str, Any]) -> str:
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _write_json(path: Path, fields: Mapping[str, Any]) -> None:
    # ASCII keeps names that are not UTF-8 as \udcXX escapes; NaN is not JSON.
    path.write_text(json.dumps(fields, indent=1, allow_nan=False) + "\n", encoding="ascii")


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_info(folder: Path) -> dict[str, Any]:
    """Read and check a fit's model.json.

    Raises
    ------
    ClassifierNotFoundError
        If there is no fit in `folder`.
    ArtifactTamperedError
        If its content is not what was written.
    """
    try:
        raw = (folder / INFO).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise ClassifierNotFoundError(f"There is no fit at {folder}. Run: fit") from exc
    except OSError as exc:
        raise ClassifierError(f"{folder / INFO} cannot be read: {exc}.") from exc
    try:
        info: dict[str, Any] = json.loads(raw)
        unsealed = {name: value for name, value in info.items() if name != "sha256"}
        found, expected = _digest(unsealed), info.get("sha256")
    except (ValueError, AttributeError, RecursionError) as exc:
        raise ArtifactTamperedError(
            f"{folder / INFO} is not the JSON that fit wrote: {exc}. {REDO_HINT}"
        ) from exc
    if found != expected:
        raise ArtifactTamperedError(
            f"{folder / INFO} was changed after fit wrote it: expected digest {expected}, found "
            f"{found}. {REDO_HINT}"
        )
    if info.get("format_version") != FORMAT_VERSION:
        raise ClassifierError(
            f"{folder} is a fit of format version {info.get('format_version')}; this version "
            f"reads {FORMAT_VERSION}. {REDO_HINT}"
        )
    return info


def _read_vouched(folder: Path, name: str, info: Mapping[str, Any]) -> bytes:
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
    """Return one of a fit's files, checked against its hash: `METRICS`, `PREDICTIONS`, `MODEL`."""
    return _read_vouched(folder, name, read_info(folder))


def verify_files(folder: Path) -> None:
    """Check every file of a fit against its hash.

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
    """
    info = read_info(folder)
    for name in info["files"]:
        _read_vouched(folder, name, info)


def read_report(folder: Path) -> Report:
    """Read the report of a fit.

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
    """
    return Report.from_dict(json.loads(read_file(folder, METRICS)))


def load_model(folder: Path, *, force: bool = False) -> LoadedModel:
    """Unpickle a fit's classifier, if its bytes are the ones that were written.

    Parameters
    ----------
    folder : Path
    force : bool
        Load it although another scikit-learn wrote it. Never overrides a hash that is wrong.

    Raises
    ------
    ClassifierNotFoundError
        If there is no fit in `folder`.
    ArtifactTamperedError
        If a file is not what was written; it has not been unpickled.
    ClassifierError
        If another version of scikit-learn wrote it.
    """
    info = read_info(folder)
    content = _read_vouched(folder, MODEL, info)
    written, here = info["versions"]["scikit-learn"], version("scikit-learn")
    if written != here and not force:
        raise ClassifierError(
            f"{folder} was fitted with scikit-learn {written}, here is {here}: its classifier may "
            "answer differently or not at all. Run fit again, or use --force."
        )
    with warnings.catch_warnings():
        if force:  # scikit-learn's InconsistentVersionWarning says what --force accepted
            warnings.simplefilter("ignore")
        return LoadedModel(classifier=joblib.load(io.BytesIO(content)), info=info)


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

"""model.json: what it says of a fit, how it is sealed, and what it must look like to be believed.

The seal is a plain hash, so anyone can make one. What it vouches for is therefore checked all the
same: every field is there and of its kind, and the files it names are the fit's own.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.config import CLASSIFIERS, FitConfig
from pipeline.errors import (
    ArtifactTamperedError,
    ClassifierError,
    ClassifierNotFoundError,
    ConfigError,
)
from pipeline.records import SampleTable, hash_json
from pipeline.views import count_views, view_width

FORMAT = "transfer-values fit"
FORMAT_VERSION = 5
MODEL, INFO, METRICS, PREDICTIONS = "model.joblib", "model.json", "metrics.json", "predictions.csv"
VOUCHED = (MODEL, METRICS, PREDICTIONS)
REDO_HINT = "Run fit again with --overwrite."
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    return store.with_suffix(".fits") / f"{config.clf}-{hash_json(decisive)[:8]}"


def describe(
    table: SampleTable,
    config: FitConfig,
    files: Mapping[str, str],
    gates: Sequence[Mapping[str, Any]],
) -> bytes:
    """Return the content of model.json.

    Parameters
    ----------
    table : SampleTable
    config : FitConfig
    files : mapping of str to str
        SHA-256 of each of `VOUCHED`, in hexadecimal.
    gates : sequence of mapping
        `Report.gates`; the fit is usable if all of them are met.
    """
    n_views = count_views(table.recipe)
    info = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": table.dataset,
        "model": table.model,
        "clf": config.clf,
        "class_names": list(table.class_names),
        "n_features": view_width(table.n_features, n_views=n_views),
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
        **gated(gates),
    }
    return to_json(sealed(info))


def gated(gates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of model.json that say whether a fit reached what was demanded of it."""
    return {"usable": all(gate["met"] for gate in gates), "gates": list(map(dict, gates))}


def sealed(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return model.json's fields with the digest over them."""
    return {**info, "sha256": hash_json(info)}


def to_json(fields: Mapping[str, Any]) -> bytes:
    """Return fields as JSON text; names that are not UTF-8 stay, and NaN is refused."""
    return (json.dumps(fields, indent=1, allow_nan=False) + "\n").encode("ascii")


def read_info(folder: Path) -> dict[str, Any]:
    """Read and check a fit's model.json.

    Raises
    ------
    ClassifierNotFoundError
        If there is no fit in `folder`.
    ClassifierError
        If it cannot be read, or is of another format version.
    ArtifactTamperedError
        If its content is not what was written, or nothing that a fit writes.
    """
    path = folder / INFO
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise ClassifierNotFoundError(f"There is no fit at {folder}. Run: fit") from exc
    except OSError as exc:
        raise ClassifierError(f"{path} cannot be read: {exc}.") from exc
    info = _unseal(raw, path)
    if info.get("format") == FORMAT and info.get("format_version") != FORMAT_VERSION:
        raise ClassifierError(
            f"{folder} is a fit of format version {info.get('format_version')}; this version "
            f"reads {FORMAT_VERSION}. {REDO_HINT}"
        )
    for name, (expected, is_so) in _FIELDS.items():
        if name not in info or not is_so(info[name]):
            found = repr(info[name])[:80] if name in info else "nothing"
            raise ArtifactTamperedError(
                f"{path} is not what fit writes: {name!r} must be {expected}, found {found}. "
                f"{REDO_HINT}"
            )
    return info


def _unseal(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads(raw)
        expected = info.pop("sha256", None)
        found = hash_json(info)
    except (ValueError, AttributeError, TypeError, RecursionError) as exc:
        raise ArtifactTamperedError(
            f"{path} is not the JSON that fit wrote: {exc}. {REDO_HINT}"
        ) from exc
    if found != expected:
        raise ArtifactTamperedError(
            f"{path} was changed after fit wrote it: expected digest {expected}, found "
            f"{found}. {REDO_HINT}"
        )
    return info


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_recipe(value: Any) -> bool:
    return isinstance(value, dict) and _is_count(value.get("views", 1))


def _are_settings(value: Any) -> bool:
    try:
        return bool(value == FitConfig(**value).to_dict())
    except (TypeError, ConfigError):
        return False


def _are_versions(value: Any) -> bool:
    return (
        isinstance(value, dict) and all(map(_is_text, value.values())) and "scikit-learn" in value
    )


def _are_files(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == set(VOUCHED)
        and all(map(_is_hash, value.values()))
    )


def _are_gates(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(gate, dict)
        and set(gate) == {"name", "least", "found", "met"}
        and _is_text(gate["name"])
        and type(gate["met"]) is bool
        and type(gate["least"]) in (int, float)
        and type(gate["found"]) in (int, float, type(None))
        for gate in value
    )


_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "format": (repr(FORMAT), lambda value: value == FORMAT),
    "created": ("text", _is_text),
    "dataset": ("text", _is_text),
    "model": ("text", _is_text),
    "clf": (f"one of {', '.join(CLASSIFIERS)}", lambda value: value in CLASSIFIERS),
    "class_names": ("a list of different names", _are_names),
    "n_features": ("a number of features", _is_count),
    "key": ("a SHA-256", _is_hash),
    "recipe": ("a recipe's fields", _is_recipe),
    "content_sha256": ("a SHA-256", _is_hash),
    "config": ("the settings of fit", _are_settings),
    "versions": ("the versions of libraries", _are_versions),
    "files": (f"the SHA-256 of {', '.join(VOUCHED)}", _are_files),
    "usable": ("true or false", lambda value: type(value) is bool),
    "gates": ("what was demanded of the fit", _are_gates),
}

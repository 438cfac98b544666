"""Arrays that took long to compute, kept in a file that says what they are of and is checked."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts.description import read_info
from pipeline.artifacts.leftovers import list_partial_pages
from pipeline.artifacts.locking import lock_fits
from pipeline.durable import remove, write_file
from pipeline.errors import CacheError, ClassifierError
from pipeline.records import hash_json

KEPT_VERSION = 1
_DIGEST_BYTES = 32
_LOCK_SECONDS = 5


def pack_arrays(identity: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as bytes: a digest over them and what they are of, then NumPy's archive.

    Parameters
    ----------
    identity : str
        Names all that decides about the arrays.
    arrays : mapping of str to ndarray
    """
    buffer = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(buffer, **named)
    content = buffer.getvalue()
    return _digest(identity, content) + content


def unpack_arrays(identity: str, data: bytes) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of `pack_arrays`; None if they are damaged, or of something else."""
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if digest != _digest(identity, content):
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def _digest(identity: str, content: bytes) -> bytes:
    return hashlib.sha256(identity.encode() + content).digest()


def keep_arrays(
    folder: Path,
    name: str,
    arrays: Mapping[str, NDArray[Any]],
    *,
    info: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> bool:
    """Keep arrays in a fit's folder, if it can be written and is still the same fit's.

    Parameters
    ----------
    folder : Path
        Of the fit.
    name : str
        "doubt-…", of letters and hyphens.
    arrays : mapping of str to ndarray
    info : mapping
        The content of model.json that they were computed by.
    settings : mapping
        What else decides about them, as JSON values.

    Returns
    -------
    bool
        Whether they are kept: not in a folder that is read-only or full, nor where another process
        is writing.
    """
    identity = _identify(info, settings)
    try:
        with lock_fits(folder.parent, timeout=_LOCK_SECONDS):
            if read_info(folder)["files"] != info["files"]:
                return False
            for left in list_partial_pages(folder):
                remove(left)
            write_file(_path(folder, name), pack_arrays(identity, arrays), within=folder)
    except (OSError, CacheError, ClassifierError):
        return False
    return True


def read_arrays(
    folder: Path, name: str, *, info: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, NDArray[Any]] | None:
    """Return arrays that were kept by `keep_arrays`; None if there are none of this fit."""
    with contextlib.suppress(OSError):
        return unpack_arrays(_identify(info, settings), _path(folder, name).read_bytes())
    return None


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.kept"


def _identify(info: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Name a fit, whatever has been demanded of it since, and the settings."""
    decisive = {name: info[name] for name in ("files", "content_sha256", "config", "class_names")}
    return hash_json({**decisive, "settings": dict(settings), "version": KEPT_VERSION})

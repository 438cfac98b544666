"""Reading tuned weights back: what they are, and which images they have seen."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import FinetuneError
from pipeline.records import TunedNetwork, hash_json
from pipeline.tuned.folder import IMAGES, INFO, WEIGHTS
from pipeline.tuned.writing import FORMAT, FORMAT_VERSION

_REDO_HINT = "Run finetune again with --overwrite."
# Copies stay together where a split is drawn, but not where the data set gives one.
_USES = ("train", "validation", "test", "unused")
_GLOB = f"*.finetune-*/{INFO}"


def weights_path(folder: Path) -> Path:
    """Return the weights file within a folder of tuned weights."""
    return folder / WEIGHTS


def read_tuned(folder: Path) -> TunedNetwork | None:
    """Return what a folder says of its weights, once all of its files are what was written.

    Returns
    -------
    TunedNetwork or None
        None if there is no such folder.

    Raises
    ------
    FinetuneError
        If something in it was changed, or cannot be read.
    """
    try:
        info = _read_info(folder / INFO)
    except FileNotFoundError:
        return None
    for name, digest in info["files"].items():
        _read_vouched(folder / name, digest)
    return _parse(info, folder)


def find_tuned(weights_sha256: str, *, near: Path, cache_dir: Path) -> Path | None:
    """Return the folder in which a weights file was made, None if it is not to be found.

    Parameters
    ----------
    weights_sha256 : str
        Of the weights file.
    near : Path
        A folder to look in first, as the one in which the file lay.
    cache_dir : Path
    """
    for path in (near / INFO, *_list_all(cache_dir)):
        try:
            if _read_info(path)["weights_sha256"] == weights_sha256:
                return path.parent
        except (OSError, FinetuneError, KeyError):
            continue  # gone, damaged, or another file of this name
    return None


def read_image_uses(folder: Path) -> dict[bytes, str]:
    """Return, by SHA-256, what each image was used for; see `images_csv`.

    Copies may have been used for different things: then it is what counts most against a test.

    Raises
    ------
    FinetuneError
        If it was changed, or cannot be read.
    """
    try:
        info = _read_info(folder / INFO)
    except OSError as exc:
        raise FinetuneError(f"{folder / INFO} cannot be read: {exc}. {_REDO_HINT}") from exc
    content = _read_vouched(folder / IMAGES, str(info["files"].get(IMAGES)))
    lines = csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline=""))
    uses: dict[bytes, str] = {}
    for line in lines:
        digest = bytes.fromhex(line["sha256"])
        uses[digest] = min(line["use"], uses.get(digest, line["use"]), key=_USES.index)
    return uses


def _list_all(cache_dir: Path) -> Iterator[Path]:
    yield from sorted(cache_dir.glob(f"*/{_GLOB}"))


def _read_info(path: Path) -> dict[str, Any]:
    """Read finetune.json and check its seal; OSError if it cannot be read."""
    raw = path.read_bytes()
    try:
        info: dict[str, Any] = json.loads(raw)
        expected = info.pop("sha256", None)
        is_sealed = hash_json(info) == expected
    except (ValueError, AttributeError, TypeError, RecursionError) as exc:
        raise FinetuneError(f"{path} is not what finetune wrote: {exc}. {_REDO_HINT}") from exc
    if not is_sealed or info.get("format") != FORMAT or not isinstance(info.get("files"), dict):
        raise FinetuneError(f"{path} was changed after finetune wrote it. {_REDO_HINT}")
    if info.get("format_version") != FORMAT_VERSION:
        raise FinetuneError(
            f"{path} is of format version {info.get('format_version')}; this version reads "
            f"{FORMAT_VERSION}. {_REDO_HINT}"
        )
    return info


def _read_vouched(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise FinetuneError(f"{path} cannot be read: {exc}. {_REDO_HINT}") from exc
    if hashlib.sha256(content).hexdigest() != digest:
        raise FinetuneError(f"{path} was changed after finetune wrote it. {_REDO_HINT}")
    return content


def _parse(info: dict[str, Any], folder: Path) -> TunedNetwork:
    left = ("format", "format_version", "files")
    try:
        return TunedNetwork.from_dict({k: v for k, v in info.items() if k not in left})
    except (TypeError, KeyError) as exc:
        raise FinetuneError(f"{folder / INFO} is not what finetune writes: {exc}.") from exc

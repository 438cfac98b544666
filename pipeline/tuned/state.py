"""What an unfinished training goes on from: whole after every epoch, whenever it is killed.

Keras's own BackupAndRestore writes weights and epoch number in place, one after the other: killed
between the two, an epoch would count twice.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.durable import remove, write_file
from pipeline.records import Epoch, hash_json

Arrays: TypeAlias = Sequence[NDArray[Any]]
STATE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingState:
    """A training after some epochs.

    Attributes
    ----------
    history : tuple of Epoch
    last : sequence of ndarray
        Everything that the next epoch begins with: weights, optimizer, random generators.
    best : sequence of ndarray
        The same after the best epoch.
    """

    history: tuple[Epoch, ...]
    last: Arrays
    best: Arrays


def save_state(
    work: Path,
    identity: Mapping[str, Any],
    history: Sequence[Epoch],
    arrays: Arrays,
    *,
    is_best: bool,
) -> None:
    """Keep a training after an epoch.

    The arrays are written under new names first, then the file that says which of them count.

    Parameters
    ----------
    work : Path
    identity : mapping
        What the training is; see `load_state`.
    history : sequence of Epoch
        With the epoch that just ended.
    arrays : sequence of ndarray
    is_best : bool
        Whether that epoch is the best so far.

    Raises
    ------
    OSError
        If there is no room; what was kept before stays.
    """
    content = _pack(arrays)
    digest = hashlib.sha256(content).hexdigest()
    name = f"epoch-{len(history):04}.npz"
    write_file(work / name, content)
    before = _read(work, identity)
    best = {"name": name, "sha256": digest} if is_best or before is None else before["best"]
    fields = {
        "identity": hash_json(identity),
        "history": [asdict(epoch) for epoch in history],
        "last": {"name": name, "sha256": digest},
        "best": best,
    }
    write_file(work / STATE, json.dumps(fields, indent=1).encode())
    for path in work.glob("epoch-*.npz"):
        if path.name not in (name, best["name"]):
            with suppress(OSError):  # it is in nobody's way
                remove(path)


def load_state(work: Path, identity: Mapping[str, Any]) -> TrainingState | None:
    """Return what a training goes on from; None if there is nothing, or nothing that counts.

    Parameters
    ----------
    work : Path
    identity : mapping
        What must be the same for the next epoch to be the same.
    """
    fields = _read(work, identity)
    if fields is None:
        return None
    last, best = (_unpack(work, fields[role]) for role in ("last", "best"))
    if last is None or best is None:
        return None
    history = tuple(Epoch(**epoch) for epoch in fields["history"])
    return TrainingState(history=history, last=last, best=best)


def count_epochs(work: Path) -> int:
    """Return how many epochs of an unfinished training were kept, usable or not; 0 if unknown."""
    try:
        return len(json.loads((work / STATE).read_bytes())["history"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def clear_state(work: Path) -> None:
    """Remove what a training would go on from."""
    if work.exists():
        remove(work)


def _read(work: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        fields: dict[str, Any] = json.loads((work / STATE).read_bytes())
        return fields if fields["identity"] == hash_json(identity) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _pack(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{k:05}": array for k, array in enumerate(arrays)})  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(work: Path, named: Mapping[str, str]) -> Arrays | None:
    try:
        content = (work / named["name"]).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != named["sha256"]:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]

"""Where tuned weights lie, and what keeps two processes from making the same ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from pipeline.config import FinetuneConfig, FitConfig
from pipeline.durable import make_folder
from pipeline.errors import CacheError, CacheLockedError
from pipeline.records import hash_json

WEIGHTS, INFO = "weights.weights.h5", "finetune.json"
IMAGES, HISTORY = "images.csv", "history.csv"
CURVES = ("curves.png", "curves.svg")
_SPLIT_SETTINGS = ("split", "test_size", "group_by", "shots", "seed", "class_weight")


def tuned_path(store: Path, *, key: str, settings: Mapping[str, Any]) -> Path:
    """Return where the weights that a training makes lie.

    Parameters
    ----------
    store : Path
        Of the transfer values of the network that the training begins with.
    key : str
        Of that store's recipe: images, weights, and how an image becomes pixels.
    settings : mapping
        All else that decides the outcome.
    """
    digest = hash_json({"key": key, "settings": settings})
    return store.with_name(f"{store.stem}.finetune-{digest[:8]}")


def settings_of_tuning(config: FinetuneConfig, split_config: FitConfig) -> dict[str, Any]:
    """Return all that decides what a training makes, but for the images and the network."""
    return {**config.to_dict(), **settings_of_split(split_config)}


def settings_of_split(split_config: FitConfig) -> dict[str, Any]:
    """Return what decides which images train, and what each of them counts."""
    fields = split_config.to_dict()
    return {name: fields[name] for name in _SPLIT_SETTINGS}


def work_path(folder: Path) -> Path:
    """Return where an unfinished training keeps what it goes on from."""
    return folder.with_name(f".{folder.name}.work")


@contextlib.contextmanager
def lock_tuned(folder: Path) -> Iterator[None]:
    """Hold the lock of a training; the operating system frees it when the process dies.

    Raises
    ------
    CacheLockedError
        If another process trains the same.
    CacheError
        If the file system has no locks, or the folder cannot be made.
    """
    lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    try:
        make_folder(folder.parent)
        lock.acquire()
    except filelock.Timeout as exc:
        raise CacheLockedError(
            f"{folder} is being made by another process. Wait for it to end, then run this again."
        ) from exc
    except (NotImplementedError, OSError) as exc:
        raise CacheError(
            f"{folder.parent} cannot be written or has no locks: {exc}. Give another --cache-dir."
        ) from exc
    try:
        yield
    finally:
        lock.release()

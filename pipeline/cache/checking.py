"""Finding what is damaged in a store, and taking it back to what can be filled again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache.blocks import BlockReader
from pipeline.cache.damage import ANEW_HINT, REDO_HINT, translated
from pipeline.cache.layout import (
    FILLS,
    ROW_ARRAYS,
    Store,
    content_digest,
    describe_dataset,
    describe_rows,
    open_store,
)
from pipeline.errors import CacheCorruptError
from pipeline.records import Manifest, OnProgress

ROW_IDS = ("sample/paths", "sample/offsets", "sample/sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What re-hashing a store found.

    Attributes
    ----------
    path : Path
    complete : bool
        Whether the store says so.
    n_blocks, n_committed : int
    bad_blocks : tuple of int
        Committed blocks whose content is not what was committed, or cannot be read.
    problems : tuple of str
        One sentence for each bad block, array or attribute.
    """

    path: Path
    complete: bool
    n_blocks: int
    n_committed: int
    bad_blocks: tuple[int, ...]
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether all that is there is as it was written."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "store": str(self.path),
            "sound": self.is_sound,
            "complete": self.complete,
            "n_blocks": self.n_blocks,
            "n_committed": self.n_committed,
            "bad_blocks": list(self.bad_blocks),
            "problems": list(self.problems),
        }


def verify_store(path: Path, *, on_progress: OnProgress | None = None) -> Verification:
    """Read all of a store, complete or not, and hash it again.

    Parameters
    ----------
    path : Path
    on_progress : callable, optional
        Called with (blocks read, blocks in all).

    Raises
    ------
    CacheNotFoundError
        If there is no store.
    CacheCorruptError
        If its description is damaged: then nothing can be said about the rest.
    CacheError
        If the system does not let it be read.
    """
    store = open_store(path, "r")
    about, n_blocks = store.attributes, int(store.array("commit").shape[0])
    _check_sample(store)
    problems = _find_bad_arrays(store, (*ROW_ARRAYS, "sample/size"))
    committed, bad = 0, dict[int, str]()
    if unnamed := _find_bad_arrays(store, ROW_IDS):
        problems += unnamed  # no block can be checked: its digest covers the ids of its rows
    else:
        committed, bad = _check_blocks(store, on_progress)
        problems += bad.values()
    if about.complete and not problems and content_digest(store) != about.content_sha256:
        problems.append(
            f"{path}: labels, split, group, size, names, folder or content_sha256 are not those "
            "that were written."
        )
    if about.content_sha256 and not about.complete:
        problems.append(f"{path}: it was complete, but is not marked so any more.")
    return Verification(
        path=path,
        complete=about.complete,
        n_blocks=n_blocks,
        n_committed=committed,
        bad_blocks=tuple(bad),
        problems=tuple(problems),
    )


def _check_sample(store: Store) -> None:
    """Read the group that holds the samples' arrays: they are found without it, but not by all."""
    with translated(store.path, "sample", file=store.path / "sample", hint=ANEW_HINT):
        store.group["sample"]


def _check_blocks(store: Store, on_progress: OnProgress | None) -> tuple[int, dict[int, str]]:
    """Return how many blocks are committed, and what is wrong with those that are bad."""
    reader, n_committed, bad = BlockReader(store), 0, {}
    for number in range(len(reader)):
        try:
            # In a complete store all of them must be.
            if store.attributes.complete or reader.is_committed(number):
                n_committed += 1
                reader.read(number)
        except CacheCorruptError as exc:
            bad[number] = _say(exc)
        if on_progress:
            on_progress(number + 1, len(reader))
    return n_committed, bad


def _find_bad_arrays(store: Store, names: tuple[str, ...]) -> list[str]:
    problems = []
    for name in names:
        try:
            store.read(name)
        except CacheCorruptError as exc:
            problems.append(_say(exc))
    return problems


def _say(damage: CacheCorruptError) -> str:
    """Return what is wrong without what to do, which is the same for all that is found."""
    return str(damage).removesuffix(f" {REDO_HINT}")


def reset_damage(path: Path, manifest: Manifest) -> None:
    """Take a damaged store back to one that can be filled: for the holder of its lock.

    What the store says of its data set is written anew, and blocks that are damaged are as if they
    had never been written.

    Parameters
    ----------
    path : Path
    manifest : Manifest
        The data set of the store's recipe.

    Raises
    ------
    CacheCorruptError
        If the store's description is damaged.
    """
    store = open_store(path, "r+")
    _check_sample(store)
    root = str(manifest.root.resolve())
    store.group.update_attributes(
        {
            "complete": False,  # first of all: no reader may take it for whole any more
            "content_sha256": None,
            **describe_dataset(manifest),
            "provenance": {**store.attributes.provenance, "root": root},
        }
    )
    for name, values in describe_rows(manifest).items():
        store.writable(name)[...] = values
    reader, commit = BlockReader(store), store.writable("commit")
    for number in range(len(reader)):
        try:
            if reader.is_committed(number):
                reader.read(number)
            else:
                reader.read_state(number)
        except CacheCorruptError:
            commit[number] = np.zeros(32, np.uint8)
            for name in ("status", "oddities"):  # those of all rows are read before more is done
                store.writable(name)[reader.span(number)] = FILLS[name]

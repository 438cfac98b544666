"""What the cache holds: a line for each store, or everything about one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.leftovers import count_fits
from pipeline.backbones.specs import get_spec
from pipeline.cache import (
    StoredRows,
    count_bytes,
    count_committed,
    count_oddities,
    count_skipped,
    find_holder,
    list_store_paths,
    read_outline,
    read_runs,
    used_at,
)
from pipeline.errors import CacheError, ConfigError
from pipeline.invocation import extract_command
from pipeline.records import Split, Status, describe_augment

COMPLETE, INCOMPLETE, WRITING, DAMAGED = "complete", "incomplete", "writing", "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreEntry:
    """One line of `pipeline cache ls`.

    Attributes
    ----------
    path : Path
    dataset, model, key : str
        Of a damaged store as its path has them.
    unlike : tuple of str
        What sets it apart from other stores of the model: settings that are not the default.
    n_rows, width : int
        Images found, and transfer values a row; 0 if damaged.
    n_bytes : int
        Of its files.
    state : str
        "complete", "incomplete", "writing" or "damaged".
    done : float
        Share of the blocks that are committed, 0-1.
    holder : str
        Who is writing it; empty unless the state is "writing".
    problem : str
        What is wrong with it; empty unless it is damaged.
    n_fits : int
    used : datetime
        When it was completed, or found complete, last.
    """

    path: Path
    dataset: str
    model: str
    key: str
    unlike: tuple[str, ...] = ()
    n_rows: int = 0
    width: int = 0
    n_bytes: int
    state: str
    done: float = 0.0
    holder: str = ""
    problem: str = ""
    n_fits: int
    used: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            **asdict(self),
            "path": str(self.path),
            "unlike": list(self.unlike),
            "done": round(self.done, 4),
            "used": self.used.isoformat(timespec="seconds"),
        }


def list_cache(
    cache_dir: Path, *, dataset: str | None = None, model: str | None = None
) -> list[StoreEntry]:
    """Return what is known of every store, of one data set or model if named, damaged ones too.

    Raises
    ------
    CacheError
        If the system does not let `cache_dir` be read.
    """
    entries = [_describe(path) for path in list_store_paths(cache_dir)]
    return [
        entry
        for entry in entries
        if (dataset is None or entry.dataset == dataset) and (model is None or entry.model == model)
    ]


def _describe(path: Path) -> StoreEntry:
    common: dict[str, Any] = {
        "path": path,
        "n_bytes": count_bytes(path),
        "n_fits": count_fits(path),
        "used": datetime.fromtimestamp(used_at(path), UTC),
    }
    holder = find_holder(path)
    try:
        outline = read_outline(path)
        done = 1.0 if outline.about.complete else count_committed(path) / max(outline.n_blocks, 1)
    except CacheError as exc:
        model, _, key = path.stem.rpartition("-")
        return StoreEntry(
            dataset=path.parent.name,
            model=model,
            key=key,
            state=DAMAGED,
            problem=" ".join(str(exc).split()),
            **common,
        )
    unfinished = WRITING if holder else INCOMPLETE
    return StoreEntry(
        dataset=outline.about.dataset,
        model=outline.about.recipe.model,
        key=outline.about.key,
        unlike=tell_apart(outline.about.recipe.to_dict(), outline.about.provenance),
        n_rows=outline.n_rows,
        width=outline.width,
        state=COMPLETE if outline.about.complete else unfinished,
        done=done,
        holder=str(holder or ""),
        **common,
    )


def tell_apart(recipe: Mapping[str, Any], provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in words which settings of a store are not the default."""
    settings = provenance.get("settings", {})
    words = []
    for backbone in recipe["backbones"]:
        words += _tell_backbone(backbone)
    words += describe_augment(recipe)
    if recipe["pooling"] != "avg":
        words.append(f"pooling {recipe['pooling']}")
    if settings.get("weights", "imagenet") != "imagenet":
        words.append(f"weights {Path(settings['weights']).name}")
    if recipe["precision"] != "float32":
        words.append(recipe["precision"])
    if recipe["dtype"] != "float32":
        words.append(f"kept as {recipe['dtype']}")
    if settings.get("limit"):
        words.append(f"limit {settings['limit']}")
    if provenance.get("for_training"):
        words.append("made for finetune")
    return tuple(words)


def _tell_backbone(backbone: Mapping[str, Any]) -> list[str]:
    try:
        spec = get_spec(backbone["model"])
        size, resize = spec.input_size, spec.resize
    except ConfigError:  # made by a version that has other models
        size, resize = 0, ""
    return [
        *([f"{backbone['input_size']} px"] if backbone["input_size"] != size else []),
        *([backbone["resize"]] if backbone["resize"] != resize else []),
        *(f"layer {name}" for name in backbone["layers"]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDetails:
    """What `pipeline cache info` says of a store.

    Attributes
    ----------
    entry : StoreEntry
    content_sha256 : str
        In hexadecimal; empty until the store is complete.
    recipe, provenance : mapping
    command : str
        The command line that would make it again.
    by_class, by_split : mapping of str to int
        Rows that have values.
    skipped : mapping of str to int
        Rows that have none, by reason.
    oddities : mapping of str to int
        Rows that have values although their images were unusual, by what was; may count twice.
    n_usable : int
    value_bytes, stored_bytes : int
        Of the values that are there, and of the files that hold them.
    block_length, n_blocks, n_committed : int
    root : str
    runs : sequence of mapping
        What wrote into it and how long that took, the oldest first.
    """

    entry: StoreEntry
    content_sha256: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]
    command: str
    by_class: Mapping[str, int]
    by_split: Mapping[str, int]
    skipped: Mapping[str, int]
    oddities: Mapping[str, int]
    n_usable: int
    value_bytes: int
    stored_bytes: int
    block_length: int
    n_blocks: int
    n_committed: int
    root: str
    runs: Sequence[Mapping[str, Any]]

    @property
    def ratio(self) -> float:
        """How many times smaller the values lie on disk than in memory."""
        return self.value_bytes / max(self.stored_bytes, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "entry": self.entry.to_dict(), "ratio": round(self.ratio, 3)}


def describe_store(path: Path) -> StoreDetails:
    """Return everything about one store; its values are not read.

    Raises
    ------
    CacheError
        If it cannot be read.
    """
    outline, rows = read_outline(path), StoredRows(path)
    about, usable = outline.about, rows.usable
    n_done = int((rows.status != Status.PENDING).sum())
    row_bytes = outline.width * np.dtype(about.recipe.dtype).itemsize
    classes = Counter(rows.name_labels()[usable].tolist())
    splits = Counter(rows.split[usable].tolist())
    return StoreDetails(
        entry=_describe(path),
        content_sha256=about.content_sha256,
        recipe=about.recipe.to_dict(),
        provenance=about.provenance,
        command=extract_command(about.provenance.get("settings", {}), path),
        by_class={name: classes[name] for name in about.class_names},
        by_split={Split(n).name.lower(): count for n, count in sorted(splits.items())},
        skipped=count_skipped(rows.status),
        oddities=count_oddities(rows.oddities[usable]),
        n_usable=int(usable.sum()),
        value_bytes=n_done * row_bytes,
        stored_bytes=count_bytes(path / "features" / "c"),
        block_length=outline.block_length,
        n_blocks=outline.n_blocks,
        n_committed=rows.n_committed,
        root=about.root,
        runs=read_runs(path),
    )

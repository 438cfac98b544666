"""What an extraction is, once everything about it is settled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.engine import Engine
from pipeline.backbones.network import Network
from pipeline.backbones.precision import expect_engine
from pipeline.cache import RowStates, read_states
from pipeline.config import ExtractConfig
from pipeline.errors import CacheNotFoundError
from pipeline.extraction.batch_sizes import recall
from pipeline.extraction.versions import is_known_here
from pipeline.images import Geometry
from pipeline.machine import count_cores
from pipeline.records import Manifest, Recipe, SampleTable, Status


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExtractJob:
    """What `extract` will do: everything is settled but nothing is computed.

    Attributes
    ----------
    config : ExtractConfig
    manifest : Manifest
    network : Network
    recipe : Recipe
    store : Path
    deadline : float
        Moment of `time.monotonic()` after which no further block is begun.
    fitting : int or None
        Batch size to try, since larger ones did not fit into the memory.
    for_training : bool
        Whether the values are wanted to train a network on, and not to fit on.
    """

    config: ExtractConfig
    manifest: Manifest
    network: Network
    recipe: Recipe
    store: Path
    deadline: float = field(default=float("inf"))
    fitting: int | None = None
    for_training: bool = False

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        """How each image becomes what each backbone takes."""
        return tuple(
            Geometry(
                size=backbone.input_size,
                resize=backbone.resize,
                crop_fraction=backbone.crop_fraction,
                interpolation=backbone.interpolation,
            )
            for backbone in self.recipe.backbones
        )

    @property
    def workers(self) -> int:
        """Decoding threads."""
        return self.config.workers or count_cores()

    @property
    def batch_size(self) -> int | None:
        """Images to go through the network at once; None leaves it to the engine."""
        return self.fitting or self.config.batch_size or self.remembered

    @property
    def remembered(self) -> int | None:
        """The batch size that fitted into the memory last time, if it ever did not."""
        return recall(self.config.cache_dir, **self.place)

    @property
    def place(self) -> dict[str, str]:
        """Which network is expected to run where, as batch sizes are remembered by."""
        return {
            "network": self.network.name,
            "engine": expect_engine(self.config.device),
            "device": self.config.device,
            "precision": self.recipe.precision,
        }

    def find_done(self) -> RowStates | None:
        """Return the store's rows if nothing is to be done, else None.

        That is if the store is complete, by libraries like those here, and no image that could not
        be read then can be read now.
        """
        if self.config.overwrite:  # a store that cannot be read is no obstacle
            return None
        try:
            found = read_states(self.store)
        except CacheNotFoundError:
            return None
        done = (
            found.info.complete
            and is_known_here(found.info.provenance)
            and not len(find_recovered(self.manifest, found.status))
        )
        return found if done else None

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.deadline


OpenEngine = Callable[[ExtractJob], Engine]
"""Builds the engine of a job."""


def find_recovered(manifest: Manifest, status: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the rows that were gone or changed while they were read, and are there again.

    The manifest has just been hashed: a row whose file it could hash is as the store expects it.
    """
    passing = np.isin(status, (Status.UNREADABLE, Status.CHANGED))
    return np.flatnonzero(passing & manifest.sha256.any(axis=1))


def list_samples(job: ExtractJob) -> SampleTable:
    """Return what is known of a job's images before any is decoded: all count as usable."""
    manifest = job.manifest
    return SampleTable(
        labels=manifest.labels,
        class_names=manifest.class_names,
        split=manifest.split,
        group=manifest.group,
        group_names=manifest.group_names,
        sha256=manifest.sha256,
        paths=manifest.paths,
        root=str(manifest.root),
        dataset=manifest.name,
        source=job.config.dataset,
        model=job.recipe.model,
        key="",
        recipe=job.recipe.to_dict(),
        content_sha256="",
        n_features=0,
        n_found=len(manifest),
        skipped={},
        oddities={},
    )

"""Canary rows: a few rows computed again, to see that other libraries still give the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.engine import Engine
from pipeline.cache import RowSource, row_cosines
from pipeline.extraction.job import ExtractJob
from pipeline.images import read_batches
from pipeline.records import Status

N_CANARIES = 16
LOWEST_COSINE = 0.999
# A cosine does not see that all values were scaled.
LARGEST_NORM_CHANGE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How canary rows came out.

    Attributes
    ----------
    n_rows : int
        How many could be computed again; without any, nothing agrees.
    cosine : float
        The worst, of a row's old and new values; 1 if there is none.
    norm_change : float
        The largest relative change of a row's length.
    """

    n_rows: int
    cosine: float
    norm_change: float

    @property
    def agrees(self) -> bool:
        """Whether old and new values can stand in one table."""
        return (
            self.n_rows > 0
            and self.cosine >= LOWEST_COSINE
            and self.norm_change <= LARGEST_NORM_CHANGE
        )

    def __str__(self) -> str:
        if not self.n_rows:
            return "none of its rows can be computed again to see whether they still agree"
        if self.cosine >= LOWEST_COSINE and not self.agrees:
            found = f"their length changed by {self.norm_change:.1%}"
        else:
            found = f"worst cosine {self.cosine:.6f}, expected at least {LOWEST_COSINE}"
        outcome = "agree" if self.agrees else "differ"
        return f"{self.n_rows} of its rows, computed again, {outcome} ({found})"


def check_canaries(job: ExtractJob, engine: Engine, source: RowSource) -> Verdict:
    """Compute rows again that are in a store, spread evenly over it, and compare.

    Parameters
    ----------
    job : ExtractJob
    engine : Engine
    source : RowSource
        The store; its rows are rows of the job's manifest.

    Raises
    ------
    CacheError
        If one of the rows is damaged.
    """
    there = np.flatnonzero(source.rows >= 0)
    chosen = there[np.arange(min(N_CANARIES, len(there))) * len(there) // N_CANARIES]
    if len(there) < N_CANARIES:
        chosen = there
    rows, new = _compute(job, engine, chosen)
    if not len(rows):
        return Verdict(n_rows=0, cosine=1.0, norm_change=0.0)
    old = source.read(rows)[0].astype(np.float32)
    # One part by itself: the large values of one backbone must not hide the small ones of another.
    parts = [np.split(values, np.cumsum(engine.widths)[:-1], axis=1) for values in (old, new)]
    pairs = list(zip(*parts, strict=True))
    return Verdict(
        n_rows=len(rows),
        cosine=min(float(row_cosines(a, b).min()) for a, b in pairs),
        norm_change=max(float(_norm_changes(a, b).max()) for a, b in pairs),
    )


def _compute(
    job: ExtractJob, engine: Engine, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return those of the rows that can be decoded, and their values."""
    parts = [rows[i : i + engine.batch_size] for i in range(0, len(rows), engine.batch_size)]
    batches = list(read_batches(job.manifest, parts, job.geometries, workers=job.workers))
    values = list(engine.infer_many(batch.images for batch in batches))
    if not batches:
        return rows, np.empty((0, engine.width), np.float32)
    usable = np.concatenate([batch.status for batch in batches]) == Status.OK
    return rows[usable], np.concatenate(values)[usable]


def _norm_changes(old: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.float64]:
    before, after = np.linalg.norm(old, axis=1), np.linalg.norm(new, axis=1)
    return np.asarray(np.abs(after - before) / np.where(before > 0, before, 1.0))

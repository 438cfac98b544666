"""What a fit costs: time an image, disk, and the time of the fit itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cache import count_bytes, read_outline, read_runs
from pipeline.errors import CacheError
from pipeline.records import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a fit costs; None is unknown.

    Attributes
    ----------
    ms_per_image : float or None
        Milliseconds of an image in large batches: its transfer values, as the store's runs were
        timed without their start, and its classification, as the test rows were.
    megabytes : float or None
        The store on disk, 10⁶ bytes.
    n_features : int or None
        Transfer values an image, of all views.
    fit_seconds : float
    measured_on : frozenset of str
        Machine, engine and device of the store's runs.
    """

    ms_per_image: float | None
    megabytes: float | None
    n_features: int | None
    fit_seconds: float
    measured_on: frozenset[str]

    @property
    def order(self) -> tuple[float, float, float]:
        """Sorts the cheapest first: by time an image, then features, then seconds of the fit.

        What is unknown counts as most expensive.
        """
        return (
            math.inf if self.ms_per_image is None else self.ms_per_image,
            math.inf if self.n_features is None else self.n_features,
            self.fit_seconds,
        )


def store_of(folder: Path) -> Path:
    """Return the store that a fit's folder lies beside, or would if it were in its place."""
    parent = folder.parent
    if parent.name in ("", ".."):  # as of a fit in the current folder
        parent = folder.resolve().parent
    return parent.with_suffix(".zarr") if parent.name else parent / ".zarr"


def measure_cost(report: Report, store: Path) -> Cost:
    """Return what a fit costs, as far as its store and the list of the store's runs are there."""
    runs = [run for run in read_runs(store) if _is_timed(run)]
    extraction = _extraction_seconds(runs)
    classification = report.predict_seconds / report.n_test
    return Cost(
        ms_per_image=None if extraction is None else 1000 * (extraction + classification),
        megabytes=_read_megabytes(store),
        n_features=_read_width(store),
        fit_seconds=report.fit_seconds,
        measured_on=frozenset(_describe_machine(run) for run in runs),
    )


def say_machines(costs: Sequence[Cost]) -> str | None:
    """Return what to say of times that were not measured alike."""
    machines = sorted(frozenset().union(*(cost.measured_on for cost in costs)))
    if len(machines) < 2:
        return None
    return f"The milliseconds an image come from different machines: {'; '.join(machines)}."


def _extraction_seconds(runs: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds an image, without loading the network and the like."""
    if not runs:
        return None
    seconds = sum(run["ledger"]["total"] - run["ledger"]["start"] for run in runs)
    return float(seconds / sum(run["n_computed"] for run in runs))


def _is_timed(run: Mapping[str, Any]) -> bool:
    """Whether a line of the list, which nothing vouches for, tells the time of some images."""
    try:
        times = run["ledger"]["start"], run["ledger"]["total"]
        return bool(run["n_computed"] > 0 and 0 <= times[0] <= times[1] < math.inf)
    except (KeyError, TypeError):
        return False


def _describe_machine(run: Mapping[str, Any]) -> str:
    return f"{run.get('host', '?')}: {run.get('engine', '?')} on {run.get('device', '?')}"


def _read_megabytes(store: Path) -> float | None:
    with suppress(OSError):
        return count_bytes(store) / 1e6 or None
    return None


def _read_width(store: Path) -> int | None:
    with suppress(CacheError):
        return read_outline(store).width
    return None

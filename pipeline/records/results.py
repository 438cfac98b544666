"""What the stages come to, as the commands print it and as JSON has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.records.report import Report

OnProgress = Callable[[int, int], None]
"""Called with what is done and the total, 0 while that is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitResult:
    """A fit's report, and where the fit lies.

    Attributes
    ----------
    report : Report
    folder : Path or None
        None if the cache is read-only, which `report.notes` then says.
    reused : bool
        Whether it was there already and nothing was computed.
    page : Path or None
        The HTML page about it, if there is one.
    """

    report: Report
    folder: Path | None
    reused: bool
    page: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        folder, page = (None if path is None else str(path) for path in (self.folder, self.page))
        return {**self.report.to_dict(), "folder": folder, "reused": self.reused, "page": page}


WAITS = ("start", "decoding", "inference", "hashing", "writing", "rest")
"""What an extraction can wait for; see `TimeLedger`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLedger:
    """What an extraction waited for, in seconds of the clock.

    Attributes
    ----------
    start : float
        Loading the network, opening the store, finding and checking rows to copy.
    decoding, inference, hashing, writing : float
        Waiting for these; what went on behind another wait is not counted.
    rest : float
        Everything else: making batches, copying rows, telling the progress.
    work_hashing, work_writing : float
        Seconds that hashing and writing worked in the background, waited for or not.
    """

    start: float
    decoding: float
    inference: float
    hashing: float
    writing: float
    rest: float
    work_hashing: float
    work_writing: float

    @property
    def waits(self) -> dict[str, float]:
        """The seconds of each thing that was waited for; together the whole time."""
        return {name: getattr(self, name) for name in WAITS}

    @property
    def total(self) -> float:
        """Seconds of the whole."""
        return sum(self.waits.values())

    @property
    def slowest(self) -> tuple[str, float]:
        """What took most of the time after the start, and its share of that time."""
        waits = {name: seconds for name, seconds in self.waits.items() if name != "start"}
        name = max(waits, key=lambda name: waits[name])
        return name, waits[name] / (sum(waits.values()) or 1.0)

    def to_dict(self) -> dict[str, float]:
        """Return the fields and their total as JSON values."""
        return {
            name: round(value, 3) for name, value in {**asdict(self), "total": self.total}.items()
        }


def describe_waits(waits: Mapping[str, float]) -> str:
    """Return what was waited for, the longest first, without what is below half a percent."""
    total = sum(waits.values()) or 1.0
    parts = sorted(waits.items(), key=lambda item: -item[1])
    return ", ".join(
        f"{name} {seconds:.1f} s ({seconds / total:.0%})"
        for name, seconds in parts
        if seconds / total >= 0.005
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What `extract` did, or found done.

    Attributes
    ----------
    store : Path
    dataset, model : str
    n_found, n_cached, n_features : int
        Images found, rows with values, values a row.
    skipped : mapping of str to int
        How many images were skipped, by reason: n_found = n_cached + their sum + n_left.
    skipped_csv : Path or None
        The list of them.
    oddities : mapping of str to int
        How many of the cached images were unusual, by what was; one may count twice.
    ignored : mapping of str to int
        Files and folders passed over without counting as found, by reason.
    n_computed : int
        Rows that this call computed.
    n_copied : int
        Rows that this call copied from other stores of the same recipe; the others were there.
    n_left : int
        Rows still to do, since --max-time was over; the store is complete if it is 0.
    seconds : float
        Of this call, with the start; see `ledger`.
    engine : str or None
        Engine and device; None if nothing was computed.
    batch_size : int or None
        Images that went through the network at once.
    ledger : TimeLedger or None
        Where the time went; None if nothing was done.
    advice : str
        What would make it faster, in a line; empty if nothing is worth saying.
    """

    store: Path
    dataset: str
    model: str
    n_found: int
    n_cached: int
    n_features: int
    skipped: Mapping[str, int]
    skipped_csv: Path | None
    oddities: Mapping[str, int]
    ignored: Mapping[str, int]
    n_computed: int = 0
    n_copied: int = 0
    n_left: int = 0
    seconds: float = 0.0
    engine: str | None = None
    batch_size: int | None = None
    ledger: TimeLedger | None = None
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "store": str(self.store),
            "dataset": self.dataset,
            "model": self.model,
            "n_found": self.n_found,
            "n_cached": self.n_cached,
            "n_features": self.n_features,
            "skipped": dict(self.skipped),
            "skipped_csv": str(self.skipped_csv) if self.skipped_csv else None,
            "oddities": dict(self.oddities),
            "ignored": dict(self.ignored),
            "n_computed": self.n_computed,
            "n_copied": self.n_copied,
            "n_left": self.n_left,
            "seconds": round(self.seconds, 3),
            "engine": self.engine,
            "batch_size": self.batch_size,
            "ledger": self.ledger.to_dict() if self.ledger else None,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an extraction would cost, measured on every image and one batch.

    Attributes
    ----------
    n_images, n_classes, n_features : int
    skipped : mapping of str to int
        Images that would be skipped, by reason.
    seconds : float
        Expected duration: decoding and inference on a CPU, the slower of them on a GPU.
    megabytes : float
        Size of the store before compression, 10⁶ bytes.
    engine : str
    """

    n_images: int
    n_classes: int
    n_features: int
    skipped: Mapping[str, int]
    seconds: float
    megabytes: float
    engine: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "n_images": self.n_images,
            "n_classes": self.n_classes,
            "n_features": self.n_features,
            "skipped": dict(self.skipped),
            "seconds": round(self.seconds, 1),
            "megabytes": round(self.megabytes, 2),
            "engine": self.engine,
        }

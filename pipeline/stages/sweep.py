"""The table of a sweep: every classifier on every model's transfer values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.durable import write_file
from pipeline.errors import ClassifierError, ConfigError, PipelineError
from pipeline.ranking import Cost, Standing, judge, measure_cost, say_machines, store_of
from pipeline.records import FitResult, Report, csv_name, csv_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a classifier on a model's values could not be fitted; `clf` is empty for all of them."""

    model: str
    clf: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepRow:
    """One classifier on one model's transfer values; all numbers are None where it failed.

    Attributes
    ----------
    model, clf : str
    accuracy, balanced_accuracy : float or None
        On its own test rows, 0-1.
    accuracy_ci : tuple of float or None
        95 % interval.
    ms_per_image, megabytes, n_features
        See `ranking.Cost`; None is unknown.
    tune_seconds, fit_seconds : float or None
    folder : Path or None
        None if the fit was not kept.
    error : str or None
        Why there is none.
    """

    model: str
    clf: str
    accuracy: float | None = None
    accuracy_ci: tuple[float, float] | None = None
    balanced_accuracy: float | None = None
    ms_per_image: float | None = None
    megabytes: float | None = None
    n_features: int | None = None
    tune_seconds: float | None = None
    fit_seconds: float | None = None
    folder: Path | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "folder": None if self.folder is None else str(self.folder)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """What a sweep came to.

    Attributes
    ----------
    dataset : str
        Empty if everything failed.
    rows : tuple of SweepRow
        The most accurate first, and of equals the cheaper; at the end what failed.
    best : SweepRow or None
        The most accurate on the test rows that all have in common.
    cheapest : SweepRow or None
        The one with the fewest milliseconds an image, of the best and those whose difference from
        it has a paired bootstrap interval that contains 0. None if that is not known.
    notes : tuple of str
    """

    dataset: str
    rows: tuple[SweepRow, ...]
    best: SweepRow | None
    cheapest: SweepRow | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values; ``best`` and ``cheapest`` are marks of the rows."""
        return {
            "dataset": self.dataset,
            "rows": [
                {**row.to_dict(), "best": row is self.best, "cheapest": row is self.cheapest}
                for row in self.rows
            ],
            "notes": list(self.notes),
        }

    def to_csv(self) -> str:
        """Return the rows as CSV; what is None is empty, and the interval has two columns."""
        file = io.StringIO()
        lines = csv.writer(file)
        lines.writerow(_COLUMNS)
        for row in self.rows:
            lines.writerow([*_cells(row), row is self.best, row is self.cheapest])
        return file.getvalue()


_COLUMNS = (
    *("model", "clf", "accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy"),
    *("ms_per_image", "megabytes", "n_features", "tune_seconds", "fit_seconds"),
    *("folder", "error", "best", "cheapest"),
)


def _cells(row: SweepRow) -> list[Any]:
    found = {field.name: getattr(row, field.name) for field in fields(row)}
    found["accuracy_low"], found["accuracy_high"] = row.accuracy_ci or (None, None)
    found["folder"] = None if row.folder is None else csv_path(str(row.folder))
    found["error"] = None if row.error is None else csv_name(row.error)
    return [found[name] for name in _COLUMNS if name in found]


def summarise(
    results: Sequence[FitResult],
    *,
    cache_dir: Path,
    failures: Sequence[Failure] = (),
    seed: int = 0,
) -> Sweep:
    """Put fits on one data set into a table, and find the best and the cheapest as good.

    Parameters
    ----------
    results : sequence of FitResult
    cache_dir : Path
        Where the stores of fits lie that could not be kept.
    failures : sequence of Failure
    seed : int
        Of the bootstrap draws.
    """
    costs = [measure_cost(result.report, _store_of(result, cache_dir)) for result in results]
    rows = [_describe(result, cost) for result, cost in zip(results, costs, strict=True)]
    standing, notes = _compare(results, costs, seed=seed)
    order = sorted(range(len(rows)), key=lambda i: (-results[i].report.accuracy, costs[i].order))
    if standing is None:
        best, cheapest = (rows[order[0]] if rows else None), None
    else:
        best, cheapest = rows[standing.best], rows[standing.cheapest]
    failed = [SweepRow(model=f.model, clf=f.clf, error=f.error) for f in failures]
    return Sweep(
        dataset=results[0].report.dataset if results else "",
        rows=(*(rows[i] for i in order), *failed),
        best=best,
        cheapest=cheapest,
        notes=tuple(notes),
    )


def check_table_name(path: Path) -> str:
    """Return ".csv" or ".json", whichever a file's name ends in.

    Raises
    ------
    ConfigError
        If it ends in neither.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".json"):
        raise ConfigError(f"--to must end in .csv or .json. Got: {str(path)!r}.")
    return suffix


def write_sweep(sweep: Sweep, path: Path) -> None:
    """Write the table of a sweep as JSON or CSV, by the file's name.

    Raises
    ------
    ConfigError
        If the name ends in neither.
    PipelineError
        If it cannot be written.
    """
    as_csv = check_table_name(path) == ".csv"
    text = sweep.to_csv() if as_csv else json.dumps(sweep.to_dict(), indent=1) + "\n"
    try:
        write_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as exc:
        raise PipelineError(
            f"The table could not be written to {path}: {exc}. Run sweep again with another --to; "
            "fits that are there are not made again."
        ) from exc


def _compare(
    results: Sequence[FitResult], costs: Sequence[Cost], *, seed: int
) -> tuple[Standing | None, list[str]]:
    """Return who is as good as the best, if that can be told, and what is to say of it.

    A sweep may have taken hours: whatever keeps its fits from being compared must not hide them.
    """
    notes = [note] if (note := say_machines(costs)) else []
    folders = [result.folder for result in results if result.folder is not None]
    if not results:
        return None, notes
    if len(folders) < len(results):
        why = "Which is the cheapest as good as the best is not known: not all fits were kept."
        return None, [*notes, why]
    reports = [result.report for result in results]
    try:
        verdict = judge(folders, reports, costs, random_state=seed)
    except ClassifierError as exc:
        return None, [*notes, f"Which is the cheapest as good as the best is not known: {exc}"]
    return verdict.standing, [*notes, *([verdict.rows.note] if verdict.rows.note else [])]


def _store_of(result: FitResult, cache_dir: Path) -> Path:
    report: Report = result.report
    if result.folder is None:
        return cache_dir / report.dataset / report.store
    return store_of(result.folder)


def _describe(result: FitResult, cost: Cost) -> SweepRow:
    report = result.report
    low, high = report.intervals["accuracy"]
    return SweepRow(
        model=report.model,
        clf=report.clf,
        accuracy=report.accuracy,
        accuracy_ci=(low, high),
        balanced_accuracy=report.balanced_accuracy,
        ms_per_image=cost.ms_per_image,
        megabytes=cost.megabytes,
        n_features=cost.n_features,
        tune_seconds=report.tune_seconds,
        fit_seconds=report.fit_seconds,
        folder=result.folder,
    )

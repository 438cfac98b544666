"""Compare fits on the test rows that they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import metrics
from pipeline.artifacts import read_report
from pipeline.errors import ClassifierError
from pipeline.ranking import (
    CommonRows,
    Cost,
    Gap,
    Verdict,
    find_peers,
    judge,
    measure_cost,
    say_machines,
    store_of,
)
from pipeline.records import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedFit:
    """One of several fits, measured on the test rows that all have in common.

    Attributes
    ----------
    clf, model, dataset : str
    used : mapping
        The parameters that the classifier was fitted with.
    folder : Path
    n_test : int
        Its test rows, common or not.
    accuracy, balanced_accuracy, macro_f1 : float
        On the common rows, 0-1.
    accuracy_ci : tuple of float
        95 % Wilson interval.
    ms_per_image, megabytes, n_features
        See `ranking.Cost`; None is unknown.
    tune_seconds, fit_seconds : float
    gap : Gap or None
        To the best one; None for the best one itself.
    """

    clf: str
    model: str
    dataset: str
    used: Mapping[str, Any]
    folder: Path
    n_test: int
    accuracy: float
    accuracy_ci: tuple[float, float]
    balanced_accuracy: float
    macro_f1: float
    ms_per_image: float | None
    megabytes: float | None
    n_features: int | None
    tune_seconds: float
    fit_seconds: float
    gap: Gap | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "folder": str(self.folder)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Several fits on the same test rows.

    Attributes
    ----------
    dataset, root : str
    n_common : int
        Test rows that all fits have in common.
    fits : tuple of ComparedFit
        The most accurate first, and of equals the cheaper.
    cheapest : ComparedFit
        The one with the fewest milliseconds an image, of the best and those whose difference from
        it has an interval that contains 0.
    rows : CommonRows
        The answers, of the fits in this order; not part of the JSON.
    notes : tuple of str
    """

    dataset: str
    root: str
    n_common: int
    fits: tuple[ComparedFit, ...]
    cheapest: ComparedFit
    rows: CommonRows
    notes: tuple[str, ...]

    @property
    def best(self) -> ComparedFit:
        """The most accurate one."""
        return self.fits[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values; ``best`` and ``cheapest`` are marks of the fits."""
        return {
            "dataset": self.dataset,
            "root": self.root,
            "n_common": self.n_common,
            "fits": [
                {**fit.to_dict(), "best": fit is self.best, "cheapest": fit is self.cheapest}
                for fit in self.fits
            ],
            "notes": list(self.notes),
        }


def compare(fits: Sequence[Path], cache_dir: Path, *, seed: int = 0) -> Comparison:
    """Compare two fits or more with the best of them.

    Differences have paired bootstrap intervals in which every test row is drawn on its own:
    predictions.csv does not say which rows belong to one group, so that after --group-by the
    intervals are too narrow. The p-values of McNemar's exact test are corrected by Holm for the
    number of fits that are compared with the best.

    Parameters
    ----------
    fits : sequence of Path
        Their folders. If none is named: the newest fit and those beside it with the same split.
    cache_dir : Path
        Where to look if none is named.
    seed : int
        Of the bootstrap draws.

    Raises
    ------
    ClassifierNotFoundError
        If there is no such fit.
    ArtifactTamperedError
        If its files are not what was written.
    ClassifierError
        If there are fewer than two, or they have no test rows in common that they agree on.
    """
    folders = list({folder.resolve(): folder for folder in fits}.values())
    folders = folders or find_peers(cache_dir)
    if len(folders) < 2:
        raise ClassifierError(
            f"It takes two fits to compare, there is only {folders[0]}. Name another one, or none "
            "to compare the newest with those beside it."
        )
    reports = [read_report(folder) for folder in folders]
    costs = [measure_cost(r, store_of(f)) for f, r in zip(folders, reports, strict=True)]
    verdict = judge(folders, reports, costs, random_state=seed)
    described = [
        _describe(folders[index], reports[index], costs[index], verdict, index)
        for index in range(len(folders))
    ]
    order = verdict.standing.order
    return Comparison(
        dataset=reports[0].dataset,
        root=reports[0].root,
        n_common=len(verdict.rows),
        fits=tuple(described[index] for index in order),
        cheapest=described[verdict.standing.cheapest],
        rows=replace(verdict.rows, y_pred=verdict.rows.y_pred[list(order)]),
        notes=tuple(note for note in (verdict.rows.note, say_machines(costs)) if note),
    )


def _describe(
    folder: Path, report: Report, cost: Cost, verdict: Verdict, index: int
) -> ComparedFit:
    rows = verdict.rows
    matrix = metrics.confusion_matrix(rows.y_true, rows.y_pred[index], n_classes=rows.n_classes)
    return ComparedFit(
        clf=report.clf,
        model=report.model,
        dataset=report.dataset,
        used=dict(report.settings.get("used", {})),
        folder=folder,
        n_test=report.n_test,
        accuracy=metrics.accuracy(matrix),
        accuracy_ci=metrics.wilson_interval(int(rows.correct[index].sum()), len(rows)),
        balanced_accuracy=metrics.balanced_accuracy(matrix),
        macro_f1=metrics.macro_f1(matrix),
        ms_per_image=cost.ms_per_image,
        megabytes=cost.megabytes,
        n_features=cost.n_features,
        tune_seconds=report.tune_seconds,
        fit_seconds=report.fit_seconds,
        gap=verdict.standing.gaps[index],
    )

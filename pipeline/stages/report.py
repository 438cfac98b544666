"""Read back what a fit measured. Needs no scikit-learn and no pandas, so it answers at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import fit_path, mark_used, newest_fit, read_report
from pipeline.cache import read_features
from pipeline.config import FitConfig
from pipeline.records import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportResult:
    """A report and the folder of the fit that it is about."""

    report: Report
    folder: Path

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**self.report.to_dict(), "folder": str(self.folder)}


def report(
    cache_dir: Path,
    *,
    fit: Path | None = None,
    dataset: str | None = None,
    model: str | None = None,
    clf: str | None = None,
) -> ReportResult:
    """Read the report of a fit: by default the newest, of one data set, model or clf if named.

    Parameters
    ----------
    cache_dir : Path
    fit : Path, optional
        Folder of the fit; the other parameters then do not count.
    dataset, model, clf : str, optional

    Raises
    ------
    ClassifierNotFoundError
        If there is no such fit.
    ArtifactTamperedError
        If its files are not what was written.
    """
    folder = fit or newest_fit(cache_dir, dataset=dataset, model=model, clf=clf)
    return ReportResult(report=read_report(folder), folder=folder)


def find_fit(store: Path, config: FitConfig) -> ReportResult | None:
    """Return the fit of `config` on a store's values if it is there, and make it the newest.

    The store is read in full, so damage to it is noticed and never hidden by an older fit.

    Raises
    ------
    CacheError
        If the store cannot be read.
    ArtifactTamperedError
        If the fit's files are not what was written.
    """
    folder = fit_path(store, read_features(store), config)
    if not folder.exists():
        return None
    mark_used(folder)
    return ReportResult(report=read_report(folder), folder=folder)

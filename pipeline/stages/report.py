"""Read back what a fit measured. Needs no scikit-learn and no pandas, so it answers at once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.artifacts import (
    fit_path,
    mark_gates,
    mark_used,
    newest_fit,
    page_path,
    read_report,
    verify_files,
)
from pipeline.cache import read_info
from pipeline.config import FitConfig, Gates
from pipeline.gates import check_gates, judge
from pipeline.records import FitResult, Report


def report(
    cache_dir: Path,
    *,
    fit: Path | None = None,
    dataset: str | None = None,
    model: str | None = None,
    clf: str | None = None,
) -> FitResult:
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
    return FitResult(
        report=read_report(folder), folder=folder, reused=True, page=_find_page(folder)
    )


def find_fit(store: Path, config: FitConfig, gates: Gates | None = None) -> FitResult | None:
    """Return the fit of `config` on a store's values if it is there, and make it the newest.

    Its page counts as missing if other things are demanded of the fit now.

    Only the store's own account of its content is read: the fit was made from values that were
    checked then. What is demanded of it now is written into it, so that it is usable or not.

    Raises
    ------
    CacheError
        If the store cannot be read.
    ConfigError
        If a gate is set for a class that is not there.
    ArtifactTamperedError
        If the fit's files are not what was written.
    """
    info = read_info(store)
    folder = fit_path(store, key=info.key, content_sha256=info.content_sha256, config=config)
    if not info.complete or not folder.exists():
        return None
    verify_files(folder)
    found = read_report(folder)
    gates = gates or Gates()
    check_gates(gates, found.class_names)
    judged = judge(gates, found.to_dict())
    page = _find_page(folder)
    with contextlib.suppress(OSError):  # a read-only cache: the exit code says it all the same
        if mark_gates(folder, judged):
            page = None  # it says what was demanded before
    mark_used(folder)
    return FitResult(report=replace(found, gates=judged), folder=folder, reused=True, page=page)


def _find_page(folder: Path) -> Path | None:
    page = page_path(folder)
    return page if page.is_file() else None


def mark_best(results: Sequence[FitResult]) -> FitResult | None:
    """Make the fit that did best in cross-validation the newest, for `newest_fit`, and return it.

    The training rows decide: had the test rows chosen it, its accuracy on them would flatter. Fits
    that were not cross-validated come last. None if no fit was kept.
    """
    kept = [result for result in results if result.folder is not None]
    if not kept:
        return None
    best = max(kept, key=lambda result: _cross_validated(result.report))
    mark_used(best.folder or Path())
    return best


def _cross_validated(report: Report) -> float:
    if report.cv is not None:
        return float(report.cv["mean"])
    return max(report.tuning["means"]) if report.tuning else -1.0

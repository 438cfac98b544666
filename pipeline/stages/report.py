"""Read back what a fit measured. Needs no scikit-learn and no pandas, so it answers at once."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import fit_path, mark_used, newest_fit, read_report, verify_files
from pipeline.cache import read_info
from pipeline.config import FitConfig
from pipeline.records import FitResult


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
    return FitResult(report=read_report(folder), folder=folder, reused=True)


def find_fit(store: Path, config: FitConfig) -> FitResult | None:
    """Return the fit of `config` on a store's values if it is there, and make it the newest.

    Only the store's own account of its content is read: the fit was made from values that were
    checked then.

    Raises
    ------
    CacheError
        If the store cannot be read.
    ArtifactTamperedError
        If the fit's files are not what was written.
    """
    info = read_info(store)
    folder = fit_path(store, key=info.key, content_sha256=info.content_sha256, config=config)
    if not info.complete or not folder.exists():
        return None
    verify_files(folder)
    mark_used(folder)
    return FitResult(report=read_report(folder), folder=folder, reused=True)

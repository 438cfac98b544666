"""A fit read back with all that can be shown of it: its answers, and the rows of its store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import read_info, read_report, read_vouched
from pipeline.cache import read_samples, stream_features
from pipeline.errors import ArtifactTamperedError, CacheError
from pipeline.predictions import parse_answers
from pipeline.ranking import store_of
from pipeline.records import AnsweredRows, Report, SampleTable
from pipeline.views import average_views, count_views, view_width

NOWHERE = -1
_PREDICTIONS = "predictions.csv"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """A fit and what it was made from.

    Attributes
    ----------
    folder : Path
    info : mapping
        The content of model.json.
    report : Report
        With the gates that were set last.
    rows : AnsweredRows
        Every test row.
    store : Path
    samples : SampleTable or None
        Of the store, if it still holds what was fitted on.
    problem : str
        Why there are none; empty if there are.
    """

    folder: Path
    info: Mapping[str, Any]
    report: Report
    rows: AnsweredRows
    store: Path
    samples: SampleTable | None
    problem: str

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether each test row was answered rightly, of shape (n_rows,)."""
        right: NDArray[np.bool_] = self.rows.y_true == self.rows.y_pred
        return right


def read_evidence(folder: Path) -> Evidence:
    """Read a fit, and what its store says of the images, if the store still is what it was.

    Raises
    ------
    ClassifierNotFoundError
        If there is no fit.
    ArtifactTamperedError
        If its files are not what was written.
    ClassifierError
        If they cannot be read.
    """
    info = read_info(folder)
    report = replace(read_report(folder, info), gates=tuple(info["gates"]))
    try:
        content = read_vouched(folder, _PREDICTIONS, info)
        rows = parse_answers(content, class_names=report.class_names)
    except (KeyError, ValueError) as exc:
        raise ArtifactTamperedError(
            f"{folder / _PREDICTIONS} is not of the classes in metrics.json: {exc}. Run fit again "
            "with --overwrite."
        ) from exc
    store = store_of(folder)
    samples, problem = read_fitted_samples(store, info)
    return Evidence(
        folder=folder,
        info=info,
        report=report,
        rows=rows,
        store=store,
        samples=samples,
        problem=problem,
    )


def find_samples(samples: SampleTable, paths: Sequence[str]) -> NDArray[np.intp]:
    """Return which row of a store each path is; `NOWHERE` if none.

    Parameters
    ----------
    samples : SampleTable
    paths : sequence of str
    """
    place = {path: row for row, path in enumerate(samples.paths)}
    return np.array([place.get(path, NOWHERE) for path in paths], np.intp)


def read_values(store: Path, samples: SampleTable, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the transfer values of some rows, views averaged, without holding all in memory.

    Parameters
    ----------
    store : Path
    samples : SampleTable
        Of the store.
    rows : intp ndarray of shape (n_rows,)
        Of `samples`.

    Returns
    -------
    float32 ndarray of shape (n_rows, n_features)

    Raises
    ------
    CacheError
        If the store cannot be read, changed meanwhile, or has no such row.
    """
    if (rows == NOWHERE).any():
        raise CacheError(f"{store} does not have all test images of the fit. Run fit again.")
    n_views = count_views(samples.recipe)
    values = np.empty((len(rows), view_width(samples.n_features, n_views=n_views)), np.float32)
    order = np.argsort(rows, kind="stable")
    ascending = rows[order]
    for block, found in stream_features(store):
        first, last = np.searchsorted(ascending, [block.start, block.stop])
        wanted = ascending[first:last] - block.start
        values[order[first:last]] = average_views(found[wanted], n_views=n_views)
    return values


def read_fitted_samples(store: Path, info: Mapping[str, Any]) -> tuple[SampleTable | None, str]:
    """Return what a store says of its images, if it still is what a fit was made from.

    Parameters
    ----------
    store : Path
    info : mapping
        The fit's model.json.

    Returns
    -------
    samples : SampleTable or None
    problem : str
        Why there are none; empty if there are.
    """
    try:
        samples = read_samples(store)
    except CacheError as exc:
        return None, f"The images and the map are missing: {exc}"
    if samples.content_sha256 != info["content_sha256"]:
        return None, (
            f"The images and the map are missing: {store.name} was made anew after this fit. Run "
            "fit again."
        )
    return samples, ""

"""Why an image was given its answer: the photo, coloured by what spoke for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from pipeline.cache import StoredRows
from pipeline.classifiers import LinearHead, linear_head
from pipeline.errors import ImageDecodeError, PipelineError
from pipeline.extraction.job import ExtractJob
from pipeline.extraction.preparing import make_job, settle_network
from pipeline.extraction.settings import settings_of
from pipeline.images import decode_image, examine_image, read_checked
from pipeline.records import Explanation
from pipeline.showing.overlaying import (
    NOT_LINEAR,
    SIDE,
    OpenMaps,
    Photo,
    explain_photos,
    find_reason,
    view_of,
)
from pipeline.views import average_views

__all__ = ["SIDE", "OpenMaps", "explain_rows"]

Row: TypeAlias = tuple[str, int, int]
"""Path, the class that was answered, and the one that is right."""


def explain_rows(
    store: Path, classifier: Any, rows: Sequence[Row], *, open_maps: OpenMaps
) -> tuple[dict[str, Explanation], str]:
    """Show which parts of images spoke for the answer that they were given, and which against it.

    The images go through the network again. One that is no longer what was extracted, or whose
    values come out otherwise than they are stored, is left out.

    Parameters
    ----------
    store : Path
        Of the images of `rows`.
    classifier : Pipeline or CalibratedClassifierCV
        Fitted on the values of the store.
    rows : sequence of (str, int, int)
        Path of an image, the class that it was given, and the one that it is measured against.
    open_maps : callable
        `pipeline.opening.open_maps`; called only if there is something to explain.

    Returns
    -------
    explanations : dict of str to Explanation
        By path.
    reason : str
        Why all or some are missing, in a sentence for readers; empty if none is.
    """
    if not rows:
        return {}, ""
    try:
        stored = StoredRows(store)
        head = linear_head(classifier, n_classes=len(stored.about.class_names))
        if head is None:
            return {}, NOT_LINEAR
        job = _settle(stored)
        reason = find_reason(job) or _find_difference(job, stored)
        if reason:
            return {}, reason
        photos = _read_photos(stored, job, head, rows)
        explained = explain_photos(list(photos.values()), head, open_maps(job)) if photos else []
        pairs = zip(photos, explained, strict=True)
        found = {path: each for path, each in pairs if each is not None}
    except PipelineError as exc:
        return {}, str(exc)
    return found, _describe_missing(len(rows) - len(found), len(rows))


def _settle(stored: StoredRows) -> ExtractJob:
    """Return the job that made a store, without a look at its images; nothing is downloaded."""
    # "auto" may mean another precision by now than when the store was made.
    config = replace(settings_of(stored.path), precision=stored.about.recipe.precision)
    return make_job(config, settle_network(config, offline=True), stored.manifest)


def _find_difference(job: ExtractJob, stored: StoredRows) -> str:
    """Return why a store's values cannot be computed again; empty if they can."""
    if job.recipe.key != stored.about.key:
        return (
            "The network's weights or this program changed since the transfer values were "
            "computed. Run extract again, then fit."
        )
    return ""


def _read_photos(
    stored: StoredRows, job: ExtractJob, head: LinearHead, rows: Sequence[Row]
) -> dict[str, Photo]:
    """Return the images that are still what the store is of, and have a score of both classes."""
    places = {path: row for row, path in enumerate(stored.paths)}
    usable, root = stored.usable, Path(stored.about.root)
    found: list[tuple[int, str, int, int]] = []
    pixels = []
    for path, answer, against in rows:
        row = places.get(path)
        known = np.isfinite(head.constants[[answer, against]]).all()
        if row is None or not usable[row] or not known:
            continue
        data = read_checked(root / path, stored.sha256[row].tobytes())
        if data is None:
            continue
        try:
            inputs = examine_image(data, job.geometries).pixels
            # Apart: what is decoded depends on the largest size.
            shown = decode_image(data, view_of(job))
        except ImageDecodeError:
            continue
        found.append((row, path, answer, against))
        pixels.append((inputs, shown))
    values, _ = stored.take(np.array([row for row, *_ in found], np.int64))
    averaged = average_views(values, n_views=job.recipe.views)
    return {
        path: Photo(values=row_values, answer=answer, against=against, inputs=inputs, shown=shown)
        for (_, path, answer, against), (inputs, shown), row_values in zip(
            found, pixels, averaged, strict=True
        )
    }


def _describe_missing(n_missing: int, n_rows: int) -> str:
    if not n_missing:
        return ""
    return (
        f"{n_missing:,} of {n_rows:,} images cannot be explained: they are gone, no longer what "
        "was extracted, come out otherwise now, or no training image is of their class."
    )

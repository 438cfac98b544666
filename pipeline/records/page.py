"""What a page or a figure shows of a fit beyond the numbers of its `Report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.records.report import Report
from pipeline.records.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnsweredRows:
    """The test rows of a fit, each with its label, the answer and the scores.

    Attributes
    ----------
    paths : tuple of str
        Relative to `Report.root`.
    y_true, y_pred : intp ndarray of shape (n_rows,)
        Index into `Report.class_names`.
    scores : float64 ndarray of shape (n_rows, n_classes)
        Probabilities, 0-1, or decision scores; see `Report.score_kind`.
    """

    paths: tuple[str, ...]
    y_true: NDArray[np.intp]
    y_pred: NDArray[np.intp]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatterMap:
    """Rows as points in a plane, near each other where their transfer values are.

    Attributes
    ----------
    method : str
        "PCA", "t-SNE" or "UMAP".
    rows : intp ndarray of shape (n_points,)
        Which of the `AnsweredRows` the points are.
    points : float32 ndarray of shape (n_points, 2)
    axes : tuple of str
        What to write at the two axes; empty where they mean nothing.
    note : str
        What to know of it: how it was computed, what was left out.
    """

    method: str
    rows: NDArray[np.intp]
    points: NDArray[np.float32]
    axes: tuple[str, str] = ("", "")
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFigure:
    """A drawing that is put into a page as it is.

    Attributes
    ----------
    svg : str
        An <svg> element, whose text and lines take the page's colours.
    alt : str
        What it shows, for those who do not see it.
    """

    svg: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one image was given its answer and not its own class.

    Attributes
    ----------
    picture : bytes
        WebP, the image as the network saw it, with what spoke for the answer and against it.
    margin : float
        Decision score of the answer minus that of the true class; the picture adds up to it.
    """

    picture: bytes
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageContent:
    """All that goes into one HTML page about a fit.

    Attributes
    ----------
    report : Report
    rows : AnsweredRows
    verdict : Verdict or None
        What to make of it in two sentences.
    thumbnails : mapping of int to bytes
        Small pictures of rows, WebP, by their place in `rows`; of as many as there is room for.
    pictures : mapping of str to bytes
        Larger ones, WebP, by path: of whatever the page shows in a gallery.
    explanations : mapping of str to Explanation
        By path, of mistakes.
    least_certain : tuple of int
        Places in `rows` of right answers that were given with least certainty, the least first.
    maps : tuple of ScatterMap
    figures : mapping of str to StaticFigure
        By name: "calibration", "roc", "precision_recall", "tuning", "loss", "learning_curve",
        "finetuning"; what does not exist is not there.
    samples : mapping of int to tuple of str
        Paths of some training images of each class.
    image_sizes : tuple of (int, int)
        Width and height in pixels of the smallest, the median and the largest image that was read
        for the page, by area; empty if none was.
    skipped : tuple of (str, str)
        Path and reason of images without transfer values.
    provenance : tuple of (str, str)
        Term and value: recipe, versions, hashes, times.
    commands : tuple of str
        The command lines that make it again.
    unexplained : str
        Why mistakes are not explained, or some are not; empty if nothing is to be said.
    notes : tuple of str
        What is missing from the page, or was left out of it, and why.
    """

    report: Report
    rows: AnsweredRows
    verdict: Verdict | None = None
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    explanations: Mapping[str, Explanation] = field(default_factory=dict)
    least_certain: tuple[int, ...] = ()
    maps: tuple[ScatterMap, ...] = ()
    figures: Mapping[str, StaticFigure] = field(default_factory=dict)
    samples: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    image_sizes: tuple[tuple[int, int], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()
    unexplained: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAcrossFits:
    """How well several fits find one class on the same test images.

    Attributes
    ----------
    name : str
    n_test : int
    recalls : tuple of float
        Of each fit, 0-1.
    """

    name: str
    n_test: int
    recalls: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """An image that not all of several fits call the same.

    Attributes
    ----------
    path, true : str
    answers : tuple of str
        Of each fit.
    """

    path: str
    true: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparisonContent:
    """All that goes into one HTML page about several fits.

    Attributes
    ----------
    dataset, root : str
    n_common : int
        Test images that all fits have in common.
    fits : tuple of mapping
        What `compare --json` says of each, the best first.
    names : tuple of str
        What to call them.
    classes : tuple of ClassAcrossFits
        In class order.
    disagreements : tuple of Disagreement
        As many as are shown.
    n_disagreements : int
    pictures : mapping of str to bytes
        WebP, of the disagreements, by path.
    pareto : StaticFigure or None
        Accuracy against milliseconds an image, where these are known.
    notes : tuple of str
    """

    dataset: str
    root: str
    n_common: int
    fits: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...]
    classes: tuple[ClassAcrossFits, ...]
    disagreements: tuple[Disagreement, ...]
    n_disagreements: int
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    pareto: StaticFigure | None = None
    notes: tuple[str, ...] = ()

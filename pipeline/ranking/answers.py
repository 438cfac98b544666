"""What several fits answered on the test rows that they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.errors import ClassifierError
from pipeline.predictions import parse_predictions
from pipeline.records import Report

_PREDICTIONS = "predictions.csv"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a fit answered on its test rows.

    Attributes
    ----------
    folder : Path
    dataset, root : str
        Of the images, and the folder that their paths count from.
    by_path : mapping of str to (str, str)
        The label and the prediction of each test row.
    """

    folder: Path
    dataset: str
    root: str
    by_path: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommonRows:
    """The test rows that several fits have in common.

    Attributes
    ----------
    y_true : intp ndarray of shape (n_rows,)
        Indices, 0 to n_classes - 1, of the classes that occur.
    y_pred : intp ndarray of shape (n_fits, n_rows)
    paths : tuple of str
    class_names : tuple of str
        Of the classes that occur.
    n_tested : tuple of int
        Test rows of each fit, common or not.
    """

    y_true: NDArray[np.intp]
    y_pred: NDArray[np.intp]
    paths: tuple[str, ...]
    class_names: tuple[str, ...]
    n_tested: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.y_true)

    @property
    def n_classes(self) -> int:
        """How many classes occur."""
        return len(self.class_names)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each fit is right, of shape (n_fits, n_rows)."""
        right: NDArray[np.bool_] = self.y_pred == self.y_true
        return right

    @property
    def note(self) -> str | None:
        """What to say if some of the test rows are not common."""
        if set(self.n_tested) == {len(self)}:
            return None
        counts = ", ".join(f"{n:,}" for n in self.n_tested)
        return (
            f"The fits have different test images: the {len(self):,} that they have in common, "
            f"of {counts}, are compared."
        )


def read_answers(folder: Path, report: Report) -> Answers:
    """Read what a fit answered.

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
        As `artifacts.read_file`.
    """
    frame = parse_predictions(artifacts.read_file(folder, _PREDICTIONS))
    rows = zip(frame["path"], frame["label"], frame["prediction"], strict=True)
    return Answers(
        folder=folder,
        dataset=report.dataset,
        root=report.root,
        by_path={path: (label, prediction) for path, label, prediction in rows},
    )


def find_common_rows(answers: Sequence[Answers]) -> CommonRows:
    """Match the test rows of one fit or more by their paths.

    Raises
    ------
    ClassifierError
        If the fits are of different data sets, have no test row in common, or do not agree in
        what such a row is.
    """
    first, *others = answers
    for other in others:
        _check_dataset(first, other)
    shared = set(first.by_path).intersection(*(other.by_path for other in others))
    if not shared:
        raise ClassifierError(
            f"{_list_folders(answers)} have no test image in common, so there is nothing to "
            "compare. Fit them on the same data set with the same --seed, --test-size, --split and "
            "--group-by."
        )
    paths = [path for path in first.by_path if path in shared]
    for other in others:
        _check_labels(first, other, paths)
    true = [first.by_path[path][0] for path in paths]
    predicted = [[each.by_path[path][1] for path in paths] for each in answers]
    names = sorted({*true, *(name for each in predicted for name in each)})
    index = {name: i for i, name in enumerate(names)}
    return CommonRows(
        y_true=np.array([index[name] for name in true], dtype=np.intp),
        y_pred=np.array([[index[name] for name in each] for each in predicted], dtype=np.intp),
        paths=tuple(paths),
        class_names=tuple(names),
        n_tested=tuple(len(each.by_path) for each in answers),
    )


def _check_dataset(first: Answers, other: Answers) -> None:
    if (first.dataset, first.root) != (other.dataset, other.root):
        raise ClassifierError(
            "Fits of different images cannot be compared: "
            f"{first.folder} is of {first.dataset} in {first.root}, "
            f"{other.folder} of {other.dataset} in {other.root}. Name fits of one data set."
        )


def _check_labels(first: Answers, other: Answers, paths: Sequence[str]) -> None:
    differing = [path for path in paths if first.by_path[path][0] != other.by_path[path][0]]
    if differing:
        path = differing[0]
        raise ClassifierError(
            f"The fits do not agree on the labels of {len(differing):,} of {len(paths):,} test "
            f"images: {path} is {first.by_path[path][0]!r} in {first.folder}, "
            f"{other.by_path[path][0]!r} in {other.folder}. The labels were changed in between: "
            "run extract and fit again for the older one."
        )


def _list_folders(answers: Sequence[Answers]) -> str:
    return " and ".join(str(each.folder) for each in answers)

"""Lay over photos what spoke for their answers, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.durable import write_file
from pipeline.images import GivenImage
from pipeline.predicting.answering import Answered
from pipeline.predicting.places import last_name, number_names, safe_name
from pipeline.predicting.settling import Predictor
from pipeline.predicting.writing import format_csv
from pipeline.records import csv_name, csv_path
from pipeline.showing.explaining_given import GivenExplainer, Question
from pipeline.showing.overlaying import OpenMaps

SUFFIX = ".explained.webp"
"""Ours alone: an image in the same folder is never written over."""

INDEX = "explained.csv"
_HEAD = ("path", "picture", "class", "against", "margin")


class Explanations:
    """Explains answers as they come: what spoke for the best class, and against it for the second.

    Parameters
    ----------
    predictor : Predictor
    images : sequence of str, Path or uint8 ndarray
        All that are answered.
    to : Path
        Folder of the pictures, `<name>.explained.webp`, and of the list of them.
    open_maps : callable
        `pipeline.opening.open_maps`.

    Attributes
    ----------
    n_drawn : int
        Pictures that were written.
    n_missing : int
        Images that were answered and cannot be explained.
    """

    def __init__(
        self,
        predictor: Predictor,
        images: Sequence[GivenImage],
        to: Path,
        *,
        open_maps: OpenMaps,
    ) -> None:
        self.n_drawn = self.n_missing = 0
        self._class_names = predictor.class_names
        self._images = images
        self._to = to
        self._used: set[str] = set()
        self._rows: list[tuple[str, ...]] = []
        self._explainer = GivenExplainer(
            predictor.job,
            None if predictor.model is None else predictor.model.classifier,
            n_classes=len(predictor.class_names),
            open_maps=open_maps,
        )

    @property
    def reason(self) -> str:
        """Why nothing can be told, in a sentence; empty as long as it may be."""
        if len(self._class_names) < 2:
            return "There is one class alone: nothing spoke against it."
        return self._explainer.reason

    def take(self, part: Answered) -> None:
        """Write the pictures of some answers.

        Raises
        ------
        OSError
            If one cannot be written.
        """
        answered = [row for row, answer in enumerate(part.answers) if not answer.reason]
        if self.reason:
            self.n_missing += len(answered)
            return
        questions = [
            Question(
                image=self._images[part.start + row],
                values=part.values[row],
                answer=int(part.order[row, 0]),
                against=int(part.order[row, 1]),
            )
            for row in answered
        ]
        explained = self._explainer.explain(questions)
        for row, question, explanation in zip(answered, questions, explained, strict=True):
            if explanation is None:
                self.n_missing += 1
                continue
            path = part.answers[row].path
            name = self._choose_name(path)
            write_file(self._to / name, explanation.picture)
            pair = [csv_name(self._class_names[k]) for k in (question.answer, question.against)]
            self._rows.append((csv_path(path), name, *pair, f"{explanation.margin:.6g}"))
            self.n_drawn += 1

    def finish(self) -> None:
        """Write the list of the pictures: of which image, for which class and against which."""
        if self._rows:
            write_file(self._to / INDEX, format_csv([_HEAD, *self._rows]))

    def _choose_name(self, path: str) -> str:
        stem = safe_name(last_name(path))
        name = next(each for each in number_names(stem) if each.casefold() not in self._used)
        self._used.add(name.casefold())
        return f"{name}{SUFFIX}"

"""What else is done with answers as they come: photos explained, drawn, and copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import opening
from pipeline.commands import signals
from pipeline.console import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.backbones.activation_maps import MapEngine
    from pipeline.extraction.job import ExtractJob
    from pipeline.predicting.answering import Answered
    from pipeline.predicting.settling import Predictor
    from pipeline.stages.explain_answers import Explanations
    from pipeline.stages.name_pictures import NamedGrid
    from pipeline.stages.sort_photos import Sorter


class Takers:
    """Does with answers what the flags ask for.

    Parameters
    ----------
    terminal : Terminal
        For what is to be said of it.
    predictor : Predictor
    paths : sequence of str
        All images that are answered.
    explain, grid, copy_to : Path, optional
        Where explanations, the figure and the copies go; None does without.
    """

    def __init__(
        self,
        terminal: Terminal,
        predictor: Predictor,
        paths: Sequence[str],
        *,
        explain: Path | None,
        grid: Path | None,
        copy_to: Path | None,
    ) -> None:
        self._terminal = terminal
        self._places = {"explain": explain, "grid": grid, "copy_to": copy_to}
        self._explanations: Explanations | None = None
        self._grid: NamedGrid | None = None
        self._sorter: Sorter | None = None
        if explain is not None:
            from pipeline.stages.explain_answers import Explanations

            self._explanations = Explanations(predictor, paths, explain, open_maps=_open_maps)
        if grid is not None:
            from pipeline.stages.name_pictures import NamedGrid

            self._grid = NamedGrid(grid, paths, names=predictor.short_names)
        if copy_to is not None:
            from pipeline.stages.sort_photos import Sorter

            self._sorter = Sorter(copy_to, predictor.class_names, names=predictor.short_names)

    def take(self, part: Answered) -> None:
        """Do it with some answers."""
        for taker in (self._explanations, self._grid, self._sorter):
            if taker is not None:
                taker.take(part)

    def finish(self) -> None:
        """Write what is written once all is there, and say what came of it."""
        if self._explanations is not None:
            self._explanations.finish()
            self._say_explained(self._explanations)
        if self._grid is not None:
            self._grid.draw()
            more = f"; there is no room for {self._grid.n_more:,} more" if self._grid.n_more else ""
            self._note("Drawn", f"{self._grid.n_drawn:,} pictures", "grid", more)
        if self._sorter is not None:
            self._say_copied(self._sorter)

    def _say_explained(self, explanations: Explanations) -> None:
        if explanations.reason:
            self._terminal.note(f"Not explained: {explanations.reason}")
        elif explanations.n_missing:
            self._terminal.note(
                f"{explanations.n_missing:,} images are not explained: they are gone, or come out "
                "otherwise now."
            )
        if explanations.n_drawn:
            self._note("Explained", f"{explanations.n_drawn:,} pictures", "explain")

    def _say_copied(self, sorter: Sorter) -> None:
        there = f"; {sorter.n_there:,} were there" if sorter.n_there else ""
        left = f"; {sorter.n_left:,} are no usable images and were left" if sorter.n_left else ""
        self._note("Copied", f"{sorter.n_copied:,} photos", "copy_to", there + left)
        for name, folder in sorter.renamed.items():
            self._terminal.note(f"The folder of {name!a} is called {folder!a}.")

    def _note(self, what: str, how_many: str, place: str, more: str = "") -> None:
        self._terminal.note(f"{what}: {how_many} in {self._places[place]}{more}")


def _open_maps(job: ExtractJob) -> MapEngine:
    with signals.hold():
        return opening.open_maps(job)

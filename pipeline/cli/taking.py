"""What else is done with answers as they come: photos explained, drawn, and copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import opening
from pipeline.commands import signals
from pipeline.console import Terminal
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.backbones.activation_maps import MapEngine
    from pipeline.extraction.job import ExtractJob
    from pipeline.predicting.answering import Answered
    from pipeline.predicting.settling import Predictor
    from pipeline.stages.explain_answers import Explanations
    from pipeline.stages.name_pictures import NamedGrid
    from pipeline.stages.sort_photos import Sorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where all goes that is written; None for what was not asked for.

    `to` and `grid` are files, `explain` and `copy_to` folders, called as the flags.
    """

    to: Path | None
    explain: Path | None
    grid: Path | None
    copy_to: Path | None

    @property
    def files(self) -> dict[str, Path]:
        """Those that are files, by flag."""
        given = {"--to": self.to, "--grid": self.grid}
        return {flag: path for flag, path in given.items() if path is not None}

    @property
    def folders(self) -> dict[str, Path]:
        """Those that are folders, by flag."""
        given = {"--explain": self.explain, "--copy-to": self.copy_to}
        return {flag: path for flag, path in given.items() if path is not None}


def check_places(places: Places) -> None:
    """Refuse, before anything is computed, what could not be written once all is.

    Raises
    ------
    ConfigError
    """
    if places.grid is not None:
        from pipeline.stages.name_pictures import check_figure_name

        check_figure_name(places.grid)
    for flag, path in places.files.items():
        if path.is_dir():
            raise ConfigError(f"{flag} {path} is a folder. Name a file, in it or elsewhere.")
    for flag, path in places.folders.items():
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{flag} {path} is a file. Name a folder, which need not be there.")


def check_inputs(places: Places, words: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse to write over what is read.

    Parameters
    ----------
    places : Places
    words : sequence of str
        What was asked about, tables among them.
    paths : sequence of str
        All images.

    Raises
    ------
    ConfigError
    """
    for flag, target in places.files.items():
        # What is replaced is a name in a folder: links of other names lead to it unharmed.
        alike = [path for path in (*words, *paths) if path.endswith(target.name)]
        if target.exists() and any(_is_same(Path(path), target) for path in alike):
            raise ConfigError(
                f"{flag} {target} is one of the files that are read. Name another one."
            )


def _is_same(path: Path, target: Path) -> bool:
    try:
        return path.name == target.name and path.samefile(target)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return False


class Takers:
    """Does with answers what the flags ask for.

    Parameters
    ----------
    terminal : Terminal
        For what is to be said of it.
    predictor : Predictor
    paths : sequence of str
        All images that are answered.
    places : Places
    """

    def __init__(
        self,
        terminal: Terminal,
        predictor: Predictor,
        paths: Sequence[str],
        places: Places,
    ) -> None:
        self._terminal = terminal
        self._places = places
        self._explanations: Explanations | None = None
        self._grid: NamedGrid | None = None
        self._sorter: Sorter | None = None
        if places.explain is not None:
            from pipeline.stages.explain_answers import Explanations

            self._explanations = Explanations(
                predictor, paths, places.explain, open_maps=_open_maps
            )
        if places.grid is not None:
            from pipeline.stages.name_pictures import NamedGrid

            self._grid = NamedGrid(places.grid, paths, names=predictor.short_names)
        if places.copy_to is not None:
            from pipeline.stages.sort_photos import Sorter

            self._sorter = Sorter(
                places.copy_to, predictor.class_names, names=predictor.short_names
            )

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
            self._say_drawn(self._grid)
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
            pictures = _count(explanations.n_drawn, "picture")
            self._terminal.note(f"Explained: {pictures} in {self._places.explain}")

    def _say_drawn(self, grid: NamedGrid) -> None:
        if not grid.n_drawn:
            self._terminal.note("Not drawn: there is no picture that could be read.")
            return
        more = f"; there is no room for {grid.n_more:,} more" if grid.n_more else ""
        pictures = _count(grid.n_drawn, "picture")
        self._terminal.note(f"Drawn: {pictures} in {self._places.grid}{more}")

    def _say_copied(self, sorter: Sorter) -> None:
        there = f"; there already: {sorter.n_there:,}" if sorter.n_there else ""
        left = f"; left, since they cannot be used: {sorter.n_left:,}" if sorter.n_left else ""
        photos = _count(sorter.n_copied, "photo")
        self._terminal.note(f"Copied: {photos} in {self._places.copy_to}{there}{left}")
        for name, folder in sorter.renamed.items():
            self._terminal.note(f"The folder of {name!a} is called {folder!a}.")


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' if n != 1 else ''}"


def _open_maps(job: ExtractJob) -> MapEngine:
    with signals.hold():
        return opening.open_maps(job)

"""Draw photos with the names that they were given, as the tutorials on transfer learning do.

References
----------
M. E. H. Pedersen, "TensorFlow Tutorial #07: Inception Model", 2016,
https://github.com/Hvass-Labs/TensorFlow-Tutorials
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import plots
from pipeline.durable import write_file
from pipeline.errors import ConfigError, ImageDecodeError
from pipeline.images import GivenImage, read_given
from pipeline.images.geometry import Fitted
from pipeline.predicting.answering import Answered
from pipeline.records import UNKNOWN, Answer, write_percent

MAX_PICTURES = 60
"""In one figure: the first of all."""

SIDE = 224
"""Pixels of a picture's longer side."""

_MAKERS = {".png": plots.to_png, ".svg": plots.to_svg}


class NamedGrid:
    """Collects the first photos with their names, and draws them.

    Parameters
    ----------
    to : Path
        The file, `.png` or `.svg`.
    images : sequence of str, Path or uint8 ndarray
        All that are answered.
    names : mapping of str to str, optional
        What classes are called in the figure, if otherwise.

    Attributes
    ----------
    n_drawn, n_more : int
        Photos in the figure, and those that there was no room for.

    Raises
    ------
    ConfigError
        If the file is called otherwise.
    """

    def __init__(
        self, to: Path, images: Sequence[GivenImage], *, names: Mapping[str, str] | None = None
    ) -> None:
        check_figure_name(to)
        self.n_drawn = self.n_more = 0
        self._to = to
        self._images = images
        self._names = names or {}
        self._pictures: list[NDArray[np.uint8]] = []
        self._titles: list[str] = []

    def take(self, part: Answered) -> None:
        """Keep the pictures of some answers, as long as there is room."""
        for row, answer in enumerate(part.answers):
            if answer.reason:
                continue
            if len(self._pictures) >= MAX_PICTURES:
                self.n_more += 1
                continue
            try:
                decoded = read_given(self._images[part.start + row], [Fitted(side=SIDE)])
            except ImageDecodeError:  # gone since it was answered
                continue
            self._pictures.append(decoded.pixels[0])
            self._titles.append(describe(answer, self._names))

    def draw(self) -> None:
        """Write the figure, if there is any picture.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if not self._pictures:
            return
        self.n_drawn = len(self._pictures)
        figure = plots.draw_answers(self._pictures, self._titles)
        write_file(self._to, _MAKERS[self._to.suffix.lower()](figure))


def check_figure_name(to: Path) -> None:
    """Refuse a file that could not be drawn.

    Raises
    ------
    ConfigError
    """
    if to.suffix.lower() not in _MAKERS:
        found = f"got {to.suffix!r}" if to.suffix else "got a name without a suffix"
        raise ConfigError(f"--grid takes a name that ends in .png or .svg; {found}.")


def describe(answer: Answer, names: Mapping[str, str]) -> str:
    """Return what stands above a picture: a class a line, and how probable it is.

    Of an unknown image, too, the classes that it is nearest to.

    Parameters
    ----------
    answer : Answer
    names : mapping of str to str
        What classes are called, if otherwise.
    """
    numbers = (
        [f"{write_percent(p)} %" for p in answer.probabilities]
        if answer.probabilities
        else [f"{score:.3g}" for score in answer.scores]
    )
    shown = [names.get(name, name) for name in answer.classes]
    lines = [f"{number} {name}" for name, number in zip(shown, numbers, strict=True)]
    return "\n".join([UNKNOWN, *lines] if answer.is_unknown else lines)

"""The terminal: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

OnProgress = Callable[[int, int], None]


class SpeedColumn(ProgressColumn):
    """Images (or other units) a second."""

    def render(self, task: Task) -> Text:
        """Return the speed of the last half minute, or nothing while it is unknown."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class Terminal:
    """What a command writes to; made once a command.

    Parameters
    ----------
    quiet : bool
        Drop progress and notes.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._out = Console(highlight=False, soft_wrap=False)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet

    def result(self, renderable: RenderableType) -> None:
        """Print a result to stdout."""
        self._out.print(renderable)

    def result_json(self, fields: Mapping[str, Any]) -> None:
        """Print a result to stdout as one JSON object."""
        sys.stdout.write(json.dumps(fields, indent=2, allow_nan=False) + "\n")

    def note(self, text: str) -> None:
        """Print a line to stderr, unless quiet."""
        if not self._quiet:
            self._err.print(Text(text))

    def error(self, text: str) -> None:
        """Print an error to stderr."""
        self._err.print(Text.assemble(("error: ", "bold red"), text))

    @contextmanager
    def progress(self, what: str) -> Iterator[OnProgress]:
        """Show a bar with speed and time left while the block runs, where stderr is a terminal.

        Yields
        ------
        callable
            Takes (done, total).
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            SpeedColumn(),
            TimeRemainingColumn(),
        )
        disable = self._quiet or not self._err.is_terminal
        with Progress(*columns, console=self._err, transient=True, disable=disable) as bars:
            task = bars.add_task(what, total=None, visible=False)

            def update(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total, visible=True)

            yield update

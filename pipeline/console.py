"""The terminal: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
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

from pipeline.records import OnProgress, printable


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
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A file name may hold what the terminal's encoding lacks: no reason to fail.
                stream.reconfigure(errors="backslashreplace")
        self._out = Console(highlight=False)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet

    @property
    def width(self) -> int:
        """Columns of stdout; 80 where it is not a terminal."""
        return self._out.width

    @property
    def encoding(self) -> str:
        """Encoding of stdout."""
        return self._out.encoding

    def result(
        self,
        renderable: RenderableType,
        fields: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        as_json: bool,
    ) -> None:
        """Print a result to stdout, for people or as JSON for programs."""
        if as_json:
            sys.stdout.write(json.dumps(fields, indent=2, allow_nan=False) + "\n")
        else:
            # Plain lines are left whole, however narrow the terminal, so that paths can be copied.
            self._out.print(renderable, soft_wrap=isinstance(renderable, Text))

    def note(self, text: str) -> None:
        """Print a line to stderr, unless quiet."""
        if not self._quiet:
            self._err.print(Text(_printable_lines(text)))

    def error(self, text: str) -> None:
        """Print an error to stderr."""
        self._err.print(Text.assemble(("error: ", "bold red"), _printable_lines(text)))

    def interrupted(self, command: str) -> None:
        """Say how to go on, even if quiet."""
        self._err.print(Text(f"\nStopped. What is finished is kept; this goes on:\n  {command}"))

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
                bars.update(task, completed=done, total=total or None, visible=True)

            yield update


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))

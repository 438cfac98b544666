"""What every command has in common: its flags, its terminal, and how it ends."""

from __future__ import annotations

import inspect
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, get_type_hints

import typer

from pipeline.console import Terminal
from pipeline.errors import PipelineError
from pipeline.options import QuietArg

INTERRUPTED = 130
TERMINATED = 143


class _Terminated(BaseException):
    """SIGTERM as an exception, so that locks are freed and half-made files removed."""


class _Signals:
    """What SIGINT and SIGTERM do: raise at once, or wait while foreign code must not be cut off.

    An exception in the middle of TensorFlow's or OpenVINO's own start-up comes out as anything:
    another error, a hang, or nothing at all.
    """

    def __init__(self) -> None:
        self._holding = False
        self._held: int | None = None

    def install(self) -> None:
        """Take over both signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Put a signal off until the block ends; a second one does not wait."""
        self._holding, self._held = True, None
        try:
            yield
        finally:
            self._holding = False
            held, self._held = self._held, None
            if held is not None:
                self._raise(held)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._holding and self._held is None:
            self._held = number
            os.write(2, b"\nStopping once the network is loaded; again to stop at once ...\n")
            return
        self._raise(number)

    def _raise(self, number: int) -> NoReturn:
        raise KeyboardInterrupt if number == signal.SIGINT else _Terminated


signals = _Signals()


def add_command(
    apps: list[typer.Typer], name: str, **settings: Callable[..., Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command.

    Parameters
    ----------
    apps : list of typer.Typer
    name : str
    **settings : callable
        Maps one of the function's parameters to what makes its value. The maker's parameters
        become flags of the command, so that flags shared by commands are written down once.

    Returns
    -------
    decorator
        For a function whose first parameter is the `Terminal`. `--quiet` is added to all.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        flags_of = {name: list(_flags(maker)) for name, maker in settings.items()}

        def command(*, quiet: bool, **values: Any) -> None:
            with _ending(quiet=quiet) as terminal:
                made = {
                    name: settings[name](**{flag.name: values.pop(flag.name) for flag in flags})
                    for name, flags in flags_of.items()
                }
                function(terminal, **made, **values)

        own = [flag for flag in _flags(function) if flag.name not in settings][1:]
        quiet = inspect.Parameter(
            "quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=QuietArg
        )
        flags = [*(flag for made in flags_of.values() for flag in made), *own, quiet]
        arguments = [f for f in flags if f.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*arguments, *(flag for flag in flags if flag not in arguments)]
        )
        command.__annotations__ = {flag.name: flag.annotation for flag in flags}
        command.__doc__ = function.__doc__
        for app in apps:
            app.command(name)(command)
        return function

    return decorate


def _flags(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        yield parameter.replace(annotation=hints[parameter.name])


@contextmanager
def _ending(*, quiet: bool) -> Iterator[Terminal]:
    """Translate whatever ends a command into a message and an exit code."""
    terminal = Terminal(quiet=quiet)
    # Pillow warns about one odd image or another without saying which.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    signals.install()
    try:
        yield terminal
    except PipelineError as exc:
        terminal.error(str(exc))
        raise typer.Exit(exc.exit_code) from exc
    except KeyboardInterrupt as exc:
        terminal.interrupted(command_line())
        raise typer.Exit(INTERRUPTED) from exc
    except _Terminated as exc:
        terminal.interrupted(command_line())
        raise typer.Exit(TERMINATED) from exc
    except BrokenPipeError:  # the reader of our output has seen enough
        raise
    except OSError as exc:
        # Of the machine, not of the code: no space, no permission, a name that is too long.
        terminal.error(f"{exc}.")
        raise typer.Exit(PipelineError.exit_code) from exc


def command_line() -> str:
    """Return what was typed, to be typed again."""
    program = Path(sys.argv[0]).name
    started = ["python", "-m", "pipeline"] if program == "__main__.py" else [program]
    return shlex.join([*started, *sys.argv[1:]])

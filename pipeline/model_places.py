"""Where a model file is written, and what lies beside it: chosen and checked before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import EXPORTS, check_choice
from pipeline.errors import ConfigError, PipelineError


def choose_format(format_name: str | None, to: Path | None) -> str:
    """Return the format that is asked for, or that the file's name says.

    Raises
    ------
    ConfigError
        If there is no such format, or the name is of none.
    """
    if format_name is not None:
        check_choice("--format", format_name, tuple(EXPORTS))
        return format_name
    if to is None or to.is_dir():
        return "keras"
    for name, suffix in EXPORTS.items():
        if to.suffix.lower() == suffix:
            return name
    raise ConfigError(
        f"--to {to} does not say what to write: its name must end in one of "
        f"{', '.join(EXPORTS.values())}. Or add --format."
    )


def choose_place(to: Path | None, format_name: str, info: Mapping[str, Any]) -> Path:
    """Return the file to write: by default called like the data set and the classifier."""
    if to is not None:
        return to
    return Path(f"{info['dataset']}-{info['clf']}{EXPORTS[format_name]}")


def check_place(to: Path, format_name: str, *, overwrite: bool) -> None:
    """Refuse a place that cannot be written to, before any work is done.

    Raises
    ------
    ConfigError
        If the name does not end as the format's must.
    PipelineError
        If something is there that must not be replaced, or the folder lets nothing be written.
    """
    suffix = EXPORTS[format_name]
    if to.is_dir():
        raise PipelineError(f"{to} is a folder. Give a file: --to {to / f'model{suffix}'}")
    if to.suffix != suffix:
        raise ConfigError(
            f"--format {format_name} makes a file whose name ends in {suffix}: --to "
            f"{to.with_suffix(suffix)}, not {to}."
        )
    for path in (*list_files(to, format_name), card_path(to)):
        if path.is_dir() or (path.is_symlink() and not path.exists()):
            raise PipelineError(f"{path} is there already and is no file. Give another --to.")
        if path.exists() and not overwrite:
            raise PipelineError(f"{path} is there already. Give another --to, or --overwrite.")
    # Of folders that are yet to be made, the one they are made in.
    folder = next(path for path in to.absolute().parents if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise PipelineError(f"Cannot write {to}: nothing can be written in {folder}.")


def list_files(to: Path, format_name: str) -> tuple[Path, ...]:
    """Return the files that a format is, the one to load first: OpenVINO's are two."""
    return (to, to.with_suffix(".bin")) if format_name == "openvino" else (to,)


def card_path(to: Path) -> Path:
    """Return where the model card of a file lies."""
    return to.with_name(f"{to.name}.md")

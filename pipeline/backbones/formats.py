"""Whole networks as files: which formats there are, and one made of a network and a classifier.

How each is written, told what it is and run is in `model_files`.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.backbones.keras_engine import list_gpus
from pipeline.backbones.model_files import FORMATS, Run
from pipeline.backbones.network import Network
from pipeline.backbones.quiet_keras import keras, without_chatter
from pipeline.backbones.whole_model import build_whole_model
from pipeline.errors import BackboneError, PipelineError
from pipeline.records import Head, Recipe

_LEAST_SPACE = 2**20


def check_available(format_name: str) -> None:
    """Refuse a format whose libraries are not installed, before any work is done.

    Raises
    ------
    PipelineError
    BackboneError
        If Keras runs on another backend than TensorFlow, which the formats are made through.
    """
    for module in FORMATS[format_name].modules:
        try:
            with without_chatter():
                import_module(module)
        except ImportError as exc:
            raise PipelineError(
                f"--format {format_name} needs {module}, which cannot be loaded ({exc}). Run: pip "
                "install 'transfer-values[export]', or give --format keras."
            ) from exc
    backend = keras.config.backend()
    if format_name != "keras" and backend != "tensorflow":
        raise BackboneError(
            f"--format {format_name} needs Keras on TensorFlow, not on {backend}. Run the same "
            "command with KERAS_BACKEND=tensorflow."
        )


def make_file(
    network: Network,
    recipe: Recipe,
    head: Head,
    path: Path,
    *,
    format_name: str,
    about: Mapping[str, Any],
    margin: tuple[int, int, int],
    tall_first: bool,
) -> Run:
    """Build a network from photos to answers, write it, and load what was written.

    Parameters
    ----------
    network, head, margin, tall_first
        As for `build_whole_model`.
    recipe : Recipe
        Of the transfer values.
    path, format_name, about
        As for `write_model`.

    Raises
    ------
    ConfigError, BackboneError, OSError
        As `build_whole_model` and `write_model`.
    """
    list_gpus()  # TensorFlow looks for them anyway, and here it is quiet
    with keras.device("cpu"):
        model = build_whole_model(
            network, recipe.backbones, head, margin=margin, tall_first=tall_first
        )
    write_model(model, path, format_name, about)
    return open_model(path, format_name)


def write_model(model: keras.Model, path: Path, format_name: str, about: Mapping[str, Any]) -> None:
    """Write a network, in float32.

    Parameters
    ----------
    model : keras.Model
    path : Path
        Of the suffix that the format has; for OpenVINO a .bin file is written beside it.
    format_name : str
        Key of `FORMATS`.
    about : mapping
        JSON values that the file is told of itself, ``class_names`` among them.

    Raises
    ------
    BackboneError
        If a library cannot write this network.
    OSError
        If the place cannot be written.
    """
    try:
        FORMATS[format_name].write(model, path, about)
    except (OSError, MemoryError):
        raise
    except Exception as exc:  # of three libraries' converters
        words = str(exc).strip().split("\n")[0][:300]
        if _is_full(path.parent) or "No space left" in words:
            raise OSError(errno.ENOSPC, "No space left on device", str(path)) from exc
        raise BackboneError(
            f"The network cannot be written as {format_name}: {type(exc).__name__}: {words}. Take "
            "another --format."
        ) from exc


def open_model(path: Path, format_name: str) -> Run:
    """Load a file by its format's own runtime, on the CPU and in float32."""
    return FORMATS[format_name].open(path)


def read_about(path: Path, format_name: str) -> dict[str, Any]:
    """Return what a file says of itself."""
    return dict(json.loads(FORMATS[format_name].read_about(path)))


def _is_full(folder: Path) -> bool:
    """Tell whether a disk has no space left, which not every converter says in so many words."""
    return shutil.disk_usage(folder).free < _LEAST_SPACE

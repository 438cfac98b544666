"""The command that made something, told from the settings that were kept with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import ExtractConfig, FitConfig

_DEFAULTS = ExtractConfig().to_dict()
_FIT_DEFAULTS = FitConfig().to_dict()
# Given whatever they are: what a store is of should be seen.
_ALWAYS = ("dataset", "model")


def extract_command(settings: Mapping[str, Any], store: Path, *, overwrite: bool = False) -> str:
    """Return the command line that makes a store, as a shell in this folder takes it.

    A store of loose files is made by no command: then it is the call, as Python takes it.

    Parameters
    ----------
    settings : mapping
        `ExtractConfig.to_dict()`, as a store's provenance keeps it; unknown names are left out.
    store : Path
        Where it lies, or what is to replace it.
    overwrite : bool
        Add --overwrite.
    """
    if settings.get("dataset") == "":
        return _call(settings, store)
    words, given = ["extract"], {**settings, "cache_dir": _cache_dir_of(store)}
    if os.sep in given.get("dataset", ""):
        given.pop("data_dir", None)  # only names are looked for there
    for name, default in _DEFAULTS.items():
        value = given.get(name, default)
        if name not in _ALWAYS and value == default:
            continue
        for item in value if isinstance(value, list | tuple) else [value]:
            words += [_flag(name), str(item)]
    return shlex.join([*words, *(["--overwrite"] if overwrite else [])])


def fit_command(config: Mapping[str, Any], store: Path) -> str:
    """Return the command line that makes a fit on a store, as a shell in this folder takes it.

    Parameters
    ----------
    config : mapping
        `FitConfig.to_dict()`, as a fit keeps it.
    store : Path
    """
    words = ["fit", _show(store), "--clf", str(config["clf"])]
    for name, default in _FIT_DEFAULTS.items():
        value = config.get(name, default)
        if name == "clf" or value == default:
            continue
        flag = _flag(name)
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, str(value)]
    return shlex.join(words)


def _call(settings: Mapping[str, Any], store: Path) -> str:
    given = {name: settings.get(name, _DEFAULTS[name]) for name in _DEFAULTS}
    given |= {"cache_dir": _cache_dir_of(store)}
    # What the transformer has no parameter for.
    del given["dataset"], given["data_dir"]
    given["layers"] = tuple(given["layers"])  # JSON has only lists
    changed = {name: value for name, value in given.items() if value != _DEFAULTS[name]}
    arguments = {"model": given["model"], **changed}
    listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"TransferValues({listed}).fit_transform(paths)"


def _cache_dir_of(store: Path) -> str:
    return _show(Path(os.path.normpath(store.absolute())).parent.parent)


def _show(path: Path) -> str:
    """Return a path as short as it can be written in this folder."""
    place = Path(os.path.normpath(path.absolute()))
    return str(place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place)


def _flag(name: str) -> str:
    return f"--{'layer' if name == 'layers' else name.replace('_', '-')}"

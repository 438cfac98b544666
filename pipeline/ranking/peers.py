"""The fits that can be compared with the newest one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline.artifacts import newest_fit, read_info
from pipeline.config import CLASSIFIERS, FitConfig
from pipeline.errors import ClassifierError

_INFO = "model.json"
_SPLIT = ("seed", "test_size", "split", "group_by", "shots")
# They add to the report and leave the classifier as it is.
_MEASUREMENTS = ("cv", "learning_curve")
_DEFAULTS = {field.name: field.default for field in fields(FitConfig)}


def find_peers(cache_dir: Path) -> list[Path]:
    """Return the newest fit, then those beside it of the same values and the same split.

    Of fits with the same settings, and another version of scikit-learn say, the newest counts.

    Raises
    ------
    ClassifierNotFoundError
        If there is no fit.
    ClassifierError
        If there is one alone.
    """
    newest = newest_fit(cache_dir)
    wanted = read_info(newest)
    found: dict[str, Path] = {}
    for folder, info in sorted(_list_fits(newest.parent), key=_age):
        if _is_comparable(info, wanted):
            found.setdefault(_name_settings(info), folder)
    if len(found) < 2:
        raise ClassifierError(
            f"Nothing to compare: of the fits in {newest.parent}, {newest.name} alone has its "
            f"split. Run: {_suggest(wanted)}"
        )
    return list(found.values())


def _list_fits(fits: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in fits.glob(f"[!.]*/{_INFO}"):
        with suppress(ClassifierError):  # of another version, or damaged: naming it says so
            yield path.parent, read_info(path.parent)


def _age(fit: tuple[Path, Mapping[str, Any]]) -> tuple[int, str]:
    folder, _ = fit
    return -(folder / _INFO).stat().st_mtime_ns, folder.name


def _is_comparable(info: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    same_values = info["content_sha256"] == wanted["content_sha256"]
    return same_values and _split_of(info) == _split_of(wanted)


def _split_of(info: Mapping[str, Any]) -> dict[str, Any]:
    return {name: info["config"].get(name, _DEFAULTS[name]) for name in _SPLIT}


def _name_settings(info: Mapping[str, Any]) -> str:
    settings = {k: v for k, v in info["config"].items() if k not in _MEASUREMENTS}
    return repr(sorted(settings.items()))


def _suggest(info: Mapping[str, Any]) -> str:
    """Return the command that makes a fit of another classifier on the same split."""
    clf = next(name for name in ("svm", *CLASSIFIERS) if name != info["clf"])
    words = ["fit", "--clf", clf, "--dataset", info["dataset"], "--model", info["model"]]
    for name, value in _split_of(info).items():
        if value != _DEFAULTS[name]:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)

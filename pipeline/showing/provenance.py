"""Where a fit comes from, for who wants to check it or make it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pipeline.cache import StoreInfo, read_info, read_runs
from pipeline.errors import CacheError
from pipeline.invocation import extract_command, fit_command
from pipeline.records import flatten_recipe
from pipeline.showing.evidence import Evidence

_RECIPE = (
    ("layers", "layers"),
    ("pooling", "pooling"),
    ("input_size", "image size, pixels"),
    ("resize", "resizing"),
    ("augment", "mirroring"),
    ("views", "views"),
    ("precision", "precision"),
    ("weights_sha256", "weights, SHA-256"),
    ("manifest_digest", "images and labels, SHA-256"),
)


def list_provenance(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Return terms and values: what was computed from what, by what, when."""
    return tuple(_list(evidence, _read_store(evidence)))


def list_commands(evidence: Evidence) -> tuple[str, ...]:
    """Return the command lines that make the fit and its page again."""
    store = _read_store(evidence)
    settings = {} if store is None else store.provenance.get("settings", {})
    again = (
        fit_command(evidence.info["config"], evidence.store),
        f"report {shlex.quote(str(evidence.folder))} --html",
    )
    if not settings.get("dataset"):
        return again
    return (extract_command(settings, evidence.store), *again)


def name_versions(versions: Mapping[str, str]) -> str:
    """Return the names and numbers of libraries in one line."""
    return ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))


def _read_store(evidence: Evidence) -> StoreInfo | None:
    if evidence.samples is None:
        return None
    with suppress(CacheError):  # deleted since
        return read_info(evidence.store)
    return None


def _list(evidence: Evidence, store: StoreInfo | None) -> Iterator[tuple[str, str]]:
    report, info = evidence.report, evidence.info
    yield "images in", report.root
    yield "backbone", report.model
    recipe = flatten_recipe(report.recipe)
    for name, words in _RECIPE:
        if recipe.get(name) not in (None, "", []):
            yield words, _say(recipe[name])
    yield "key of the recipe", report.key
    yield "transfer values, SHA-256", str(info["content_sha256"])
    yield "store", str(evidence.store)
    yield "fit", str(evidence.folder)
    if store is not None:
        yield "extracted by", name_versions(_versions(store.provenance))
    seconds = sum(_seconds(run) for run in read_runs(evidence.store))
    if seconds:
        yield "seconds of the extraction", f"{seconds:,.1f}"
    yield "fitted", str(info["created"])
    yield "fitted by", name_versions(info["versions"])


def _versions(provenance: Mapping[str, Any]) -> dict[str, str]:
    versions = provenance.get("versions", {})
    return {str(name): str(number) for name, number in versions.items()}


def _seconds(run: Mapping[str, Any]) -> float:
    """Return the seconds of a run, whose line nothing vouches for."""
    with suppress(KeyError, TypeError, ValueError):
        return float(run["ledger"]["total"])
    return 0.0


def _say(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

"""Which libraries computed a store's values, and whether they are the ones that are here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline import __version__
from pipeline.backbones.engine import Engine
from pipeline.images import library_versions
from pipeline.machine import find_version


def versions_of(engine: Engine) -> dict[str, str]:
    """Return the version of all that decides about the values of this engine, by name."""
    return {"transfer-values": __version__, **library_versions(), **engine.versions}


def is_known_here(provenance: Mapping[str, Any]) -> bool:
    """Tell whether a store's values come from, or were checked with, the versions that are here.

    A library that is not here cannot be compared; nor can it compute anything.
    """
    return any(
        all(_find_version(name) in (None, known) for name, known in versions.items())
        for versions in known_versions(provenance)
    )


def known_versions(provenance: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Return the versions that computed a store, and those whose canary rows agreed with it."""
    return [provenance.get("versions", {}), *provenance.get("agreeing_versions", [])]


def describe_changes(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Name what changed: "keras 3.14.0 -> 3.15.1, openvino 2026.3 -> none"."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{n} {old.get(n, 'none')} -> {new.get(n, 'none')}" for n in names)


def _find_version(name: str) -> str | None:
    """Return the version of what is installed under a name, without importing it."""
    own = {"transfer-values": __version__, **library_versions()}
    return own[name] if name in own else find_version(name)

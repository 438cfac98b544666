"""What was demanded of a fit, and whether it was met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config import Gates
from pipeline.errors import ConfigError


def check_gates(gates: Gates, class_names: Sequence[str]) -> None:
    """Raise ConfigError if a gate is set for a class that is not there."""
    unknown = [name for name in gates.min_recall if name not in class_names]
    if unknown:
        listed = ", ".join(map(repr, class_names[:10]))
        more = f" and {len(class_names) - 10:,} more" if len(class_names) > 10 else ""
        raise ConfigError(f"--min-recall names no class: {unknown[0]!r}. Expected: {listed}{more}.")


def judge(gates: Gates, measured: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return each gate with what was found and whether it was met.

    Parameters
    ----------
    gates : Gates
    measured : mapping
        The fields ``accuracy per_class`` of a `Report`.
    """
    recalls = {scores["name"]: scores["recall"] for scores in measured["per_class"]}
    asked: list[tuple[str, float, float | None]] = []
    if gates.min_accuracy is not None:
        asked.append(("accuracy", gates.min_accuracy, measured["accuracy"]))
    asked += [(f"recall of {n}", least, recalls.get(n)) for n, least in gates.min_recall.items()]
    return tuple(
        {
            "name": name,
            "least": least,
            "found": found,
            "met": found is not None and found >= least,  # what is not known is not met
        }
        for name, least, found in asked
    )


def describe_gate(gate: Mapping[str, Any]) -> str:
    """Return a gate that was not met in words."""
    found = "unknown: it has no test image" if gate["found"] is None else f"{gate['found']:.4f}"
    return f"{gate['name']} is {found}, at least {gate['least']:g} was demanded"

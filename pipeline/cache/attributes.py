"""What a store says about itself, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.records import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The attributes of a store.

    Attributes
    ----------
    dataset, key : str
    recipe : Recipe
        Of which `key` is the key.
    class_names, group_names : tuple of str
    root : str
        The folder the images were read from.
    provenance : mapping
    complete : bool
    content_sha256 : str
        Empty until the store is complete.
    """

    dataset: str
    key: str
    recipe: Recipe
    class_names: tuple[str, ...]
    group_names: tuple[str, ...]
    root: str
    provenance: Mapping[str, Any]
    complete: bool
    content_sha256: str


def parse_attributes(found: Mapping[str, Any]) -> Attributes:
    """Read a store's attributes.

    Raises
    ------
    ValueError, TypeError, KeyError
        If one is missing, is of the wrong kind, or the recipe is not the one the key was made of.
    """
    provenance = _get(found, "provenance", dict)
    key, recipe = _get(found, "key", str), Recipe.from_dict(_get(found, "recipe", dict))
    if recipe.key != key:
        raise ValueError(f"the recipe was altered: its key is {recipe.key}, expected {key}")
    return Attributes(
        dataset=_get(found, "dataset", str),
        key=key,
        recipe=recipe,
        class_names=_get_names(found, "class_names"),
        group_names=_get_names(found, "group_names"),
        root=_get(provenance, "root", str),
        provenance=provenance,
        complete=_get(found, "complete", bool),
        content_sha256=_get(found, "content_sha256", (str, type(None))) or "",
    )


def _get(found: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    if name not in found:
        raise ValueError(f"the attribute {name} is missing")
    if not isinstance(found[name], kind):
        raise TypeError(f"the attribute {name} is {found[name]!r:.80}, expected {kind}")
    return found[name]


def _get_names(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    names = _get(found, name, list)
    if not all(isinstance(item, str) for item in names):
        raise TypeError(f"the attribute {name} is {names!r:.80}, expected a list of strings")
    return tuple(names)

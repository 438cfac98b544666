"""Compare two stores: their recipes, the libraries behind them, their images and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import StoredRows, ValuesDiff, compare_values, match_rows
from pipeline.records import OnProgress, Split, Status, flatten_recipe

Change = tuple[Any, Any]
"""What something was in the first store, and is in the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDiff:
    """How the second of two stores differs from the first.

    Every image of the first store counts once: n_rows[0] = n_common + renamed + changed + only_a;
    and of the second: n_rows[1] = n_common + renamed + changed + only_b.

    Attributes
    ----------
    a, b : Path
    n_rows : tuple of int
    recipe : mapping of str to Change
        The fields that differ, without the digest of the images.
    versions : mapping of str to Change
        None for a library that one of them lacks.
    about : mapping of str to Change
        The data set's name, folder, classes and groups, where they differ.
    n_common : int
        Images with the same path and the same content.
    only_a, only_b : tuple of str
        Paths of images of which the other store has neither path nor content.
    changed : tuple of str
        Paths of which the content differs.
    renamed : tuple of (str, str)
        Old and new path of the same content.
    labels, splits, groups, states : tuple of (str, str, str)
        Path in the second store, and what it was and is, of images with the same content. States
        are why there are no values, or "ok".
    values : ValuesDiff or None
        None if the recipes differ, since such values are not the same thing.
    """

    a: Path
    b: Path
    n_rows: tuple[int, int]
    recipe: Mapping[str, Change]
    versions: Mapping[str, Change]
    about: Mapping[str, Change]
    n_common: int
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    changed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str, str], ...]
    splits: tuple[tuple[str, str, str], ...]
    groups: tuple[tuple[str, str, str], ...]
    states: tuple[tuple[str, str, str], ...]
    values: ValuesDiff | None

    @property
    def same_images(self) -> bool:
        """Whether both hold the same images under the same paths."""
        return not (self.only_a or self.only_b or self.changed or self.renamed)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        fields = {**asdict(self), "a": str(self.a), "b": str(self.b), "meaning": self.meaning}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}

    @property
    def meaning(self) -> str:
        """What the differences come to, in a sentence."""
        return f"{'; '.join([self._tell_recipe(), *self._tell_images(), *self._tell_values()])}."

    def _tell_recipe(self) -> str:
        if not self.recipe:
            return "Same recipe"
        return f"Another recipe ({', '.join(self.recipe)})"

    def _tell_images(self) -> list[str]:
        counts = [
            (len(self.only_b), "added"),
            (len(self.only_a), "removed"),
            (len(self.changed), "changed"),
            (len(self.renamed), "renamed"),
            (len(self.labels), "given another label"),
            (len(self.splits), "moved to another split"),
            (len(self.groups), "moved to another group"),
            (len(self.states), "with values in one store only"),
        ]
        said = [(n, what) for n, what in counts if n]
        if not said:
            return ["same images"]
        (n, what), *rest = said
        was = "was" if n == 1 else "were"
        first = f"{n:,} image{'s' * (n != 1)} {'' if what.startswith('with') else was + ' '}{what}"
        return [", ".join([first, *(f"{n:,} {what}" for n, what in rest)])]

    def _tell_values(self) -> list[str]:
        if self.values is None:
            return ["values of different recipes must not stand in one table"]
        n = self.values.n_rows
        if not n:
            return ["no image has values in both"]
        of = f"the values of the {n:,} common images"
        if self.values.n_identical == n:
            return [f"{of} are identical"]
        differing = n - self.values.n_identical
        cosine = self.values.worst_cosine
        return [f"{of} differ in {differing:,} of them, with a cosine of {cosine:.6f} at worst"]


def diff_stores(a: Path, b: Path, *, on_progress: OnProgress | None = None) -> StoreDiff:
    """Compare two stores, complete or not; every block that is read is checked.

    Parameters
    ----------
    a, b : Path
        The old and the new one.
    on_progress : callable, optional
        Called with (blocks compared, blocks in all).

    Raises
    ------
    CacheError
        If one of them cannot be read.
    """
    old, new = StoredRows(a), StoredRows(b)
    matched = match_rows(old, new)
    recipe = _differences(*(flatten_recipe(r.about.recipe.to_dict()) for r in (old, new)))
    recipe.pop("manifest_digest", None)
    # Rows that could not be read have no content that could be the same.
    readable = [(i, j) for i, j in matched.same_content if old.sha256[i].any()]
    pairs = matched.same_content
    return StoreDiff(
        a=a,
        b=b,
        n_rows=(len(old), len(new)),
        recipe=recipe,
        versions=_differences(_versions(old), _versions(new)),
        about=_differences(_describe(old), _describe(new)),
        n_common=len(matched.common),
        only_a=tuple(old.paths[i] for i in matched.only_a),
        only_b=tuple(new.paths[j] for j in matched.only_b),
        changed=tuple(old.paths[i] for i, _ in matched.changed),
        renamed=tuple((old.paths[i], new.paths[j]) for i, j in matched.renamed),
        labels=_moved(new, pairs, old.name_labels(), new.name_labels()),
        splits=_moved(new, pairs, _name_splits(old), _name_splits(new)),
        groups=_moved(new, pairs, old.name_groups(), new.name_groups()),
        states=_moved(new, pairs, _name_states(old), _name_states(new)),
        values=None if recipe else compare_values(old, new, readable, on_progress),
    )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Change]:
    names = {**old, **new}
    return {
        name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
    }


def _versions(rows: StoredRows) -> Mapping[str, Any]:
    versions: Mapping[str, Any] = rows.about.provenance.get("versions", {})
    return versions


def _describe(rows: StoredRows) -> dict[str, Any]:
    return {
        "dataset": rows.about.dataset,
        "root": rows.about.root,
        "class_names": list(rows.about.class_names),
        "group_names": list(rows.about.group_names),
    }


def _name_splits(rows: StoredRows) -> NDArray[Any]:
    return np.array([Split(value).name.lower() for value in rows.split], dtype=object)


def _name_states(rows: StoredRows) -> NDArray[Any]:
    return np.array([Status(value).reason for value in rows.status], dtype=object)


def _moved(
    new: StoredRows, pairs: list[tuple[int, int]], old_names: NDArray[Any], new_names: NDArray[Any]
) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (new.paths[j], old_names[i], new_names[j]) for i, j in pairs if old_names[i] != new_names[j]
    )

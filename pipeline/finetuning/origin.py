"""Whether the weights of a store were tuned here, and on which images. Light: without Keras."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.cache import read_info
from pipeline.errors import CacheError
from pipeline.tuned import find_tuned

IMAGENET = "imagenet"


def find_origin(store: Path, recipe: Mapping[str, Any]) -> Path | None:
    """Return the folder that finetune made a store's weights in; None if they are not from there.

    Parameters
    ----------
    store : Path
    recipe : mapping
        `Recipe.to_dict()` of the store.
    """
    file = find_weights_file(store)
    near = store.parent if file is None else file.parent
    for backbone in recipe.get("backbones", ()):
        found = find_tuned(
            str(backbone.get("weights_sha256")), near=near, cache_dir=store.parent.parent
        )
        if found is not None:
            return found
    return None


def find_weights_file(store: Path) -> Path | None:
    """Return the file that was given as a store's weights; None if they are known ones.

    Known are those of ImageNet, which are looked for by themselves, and random ones.
    """
    with suppress(CacheError, TypeError):
        weights = read_info(store).provenance.get("settings", {}).get("weights", IMAGENET)
        return None if weights in (IMAGENET, "random") else Path(weights)
    return None

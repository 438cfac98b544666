"""Whether the weights of a store were tuned here, and on which images. Light: without Keras."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.cache import read_info
from pipeline.errors import CacheError
from pipeline.tuned import find_tuned


def find_origin(store: Path, recipe: Mapping[str, Any]) -> Path | None:
    """Return the folder that finetune made a store's weights in; None if they are not from there.

    Parameters
    ----------
    store : Path
    recipe : mapping
        `Recipe.to_dict()` of the store.
    """
    near = store.parent
    with suppress(CacheError, TypeError):
        settings = read_info(store).provenance.get("settings", {})
        near = Path(settings.get("weights", near)).parent
    for backbone in recipe.get("backbones", ()):
        found = find_tuned(
            str(backbone.get("weights_sha256")), near=near, cache_dir=store.parent.parent
        )
        if found is not None:
            return found
    return None

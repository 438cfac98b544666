"""With which settings transfer values were made: read back from their store, or from a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.backbones.specs import get_specs
from pipeline.cache import read_info
from pipeline.config import ExtractConfig
from pipeline.errors import CacheCorruptError, CacheError
from pipeline.records import Recipe


def settings_of(store: Path) -> ExtractConfig:
    """Return the settings that a store was made with.

    Raises
    ------
    CacheCorruptError
        If they are damaged.
    CacheError
        If no settings make it: its images were given as loose files.
    """
    settings: Mapping[str, Any] = read_info(store).provenance.get("settings", {})
    if settings.get("dataset") == "":
        raise CacheError(
            f"{store} is of loose files, not of a data set. Delete it: TransferValues computes "
            "again what it misses."
        )
    try:
        paths = {name: Path(settings[name]) for name in ("data_dir",)}
        layers = tuple(settings["layers"])
        cache_dir = store.absolute().parent.parent
        return ExtractConfig(**{**settings, **paths, "layers": layers, "cache_dir": cache_dir})
    except (KeyError, TypeError, ValueError) as exc:
        raise CacheCorruptError(
            f"{store} does not say how it was made ({exc}). Run its extract command with "
            "--overwrite."
        ) from exc


def settings_by_recipe(recipe: Recipe, *, weights: str, cache_dir: Path) -> ExtractConfig:
    """Return settings that make transfer values by a recipe, where there is no store to ask.

    Parameters
    ----------
    recipe : Recipe
    weights : str
        As `ExtractConfig` has it; the recipe knows only their hash.
    cache_dir : Path

    Raises
    ------
    ConfigError
        If no settings make them: the recipe is of a backbone that is not known here.
    """
    specs = get_specs(recipe.model)
    parts = list(zip(recipe.backbones, specs, strict=True))
    sizes = {part.input_size for part, spec in parts if part.input_size != spec.input_size}
    resizes = {part.resize for part, spec in parts if part.resize != spec.resize}
    layers = [
        layer if len(parts) == 1 else f"{part.model}:{layer}"
        for part, _ in parts
        for layer in part.layers
    ]
    return ExtractConfig(
        model=recipe.model,
        cache_dir=cache_dir,
        weights=weights,
        image_size=max(sizes, default=None),
        resize=max(resizes, default=None),
        layers=tuple(layers),
        pooling=recipe.pooling,
        augment=recipe.augment,
        views=recipe.views,
        precision=recipe.precision,
        dtype=recipe.dtype,
    )

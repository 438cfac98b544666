"""Settle what an extraction is, without loading a network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf

from pipeline.backbones.network import Network, Part
from pipeline.backbones.precision import resolve_precision
from pipeline.backbones.specs import BackboneSpec, get_specs, name_model
from pipeline.backbones.tops import top_spec
from pipeline.backbones.weights import fetch_weights, resolve_weights
from pipeline.cache import store_path
from pipeline.config import ExtractConfig, check_at_least
from pipeline.datasets import load_manifest
from pipeline.errors import ConfigError
from pipeline.extraction.job import ExtractJob
from pipeline.images import DECODER
from pipeline.records import BackboneRecipe, Manifest, OnProgress, Recipe


def prepare(
    config: ExtractConfig,
    *,
    on_progress: OnProgress | None = None,
    on_download: OnProgress | None = None,
    offline: bool = False,
) -> ExtractJob:
    """Settle what an extraction is: its rows, its recipe and its store.

    Parameters
    ----------
    config : ExtractConfig
    on_progress : callable, optional
        Called with (images hashed, images in all).
    on_download : callable, optional
        Called with (bytes of the weights received, bytes in all), if they are not here yet.
    offline : bool
        Download nothing, for weights that are not here are an error, and write nothing.

    Raises
    ------
    DatasetError, ConfigError, WeightsNotFoundError
    """
    started = time.monotonic()
    network = settle_network(config, on_download=on_download, offline=offline)
    manifest = load_manifest(
        config.dataset,
        data_dir=config.data_dir,
        label_column=config.label_column,
        limit=config.limit,
        cache_dir=None if offline else config.cache_dir,
        on_progress=on_progress,
    )
    deadline = started + (inf if config.max_time is None else config.max_time)
    return make_job(config, network, manifest, deadline=deadline)


def settle_network(
    config: ExtractConfig, *, on_download: OnProgress | None = None, offline: bool = False
) -> Network:
    """Settle which network is wanted, and find its weights; parameters as for `prepare`.

    Raises
    ------
    ConfigError, WeightsNotFoundError
    """
    specs = get_specs(config.model)
    sizes = [config.image_size or spec.input_size for spec in specs]
    for spec, size in zip(specs, sizes, strict=True):
        check_at_least(f"--image-size of {spec.name}", size, spec.smallest_size)
    if len(specs) > 1 and config.weights not in ("imagenet", "random"):
        raise ConfigError(
            f"--weights {config.weights} cannot belong to both of {config.model}. Expected: "
            "imagenet or random."
        )
    layers = assign_layers(specs, config.layers)
    resolve_precision(config.precision, device=config.device)  # before anything is downloaded
    parts = tuple(
        Part(
            spec=spec,
            weights=resolve_weights(spec, config.weights)
            if offline
            else fetch_weights(spec, config.weights, on_progress=on_download),
            image_size=size,
            layers=layers[spec.name],
        )
        for spec, size in zip(specs, sizes, strict=True)
    )
    return Network(
        parts=parts,
        pooling=config.pooling,
        mirrored=config.augment == "hflip",
        views=config.views,
    )


def settle_top_network(
    config: ExtractConfig, *, on_download: OnProgress | None = None, offline: bool = False
) -> Network:
    """Settle which whole network is wanted: its values are the probabilities of 1,000 classes.

    The classes' names are `backbones.imagenet_names.imagenet_classes`.

    Parameters
    ----------
    config : ExtractConfig
    on_download, offline
        As for `prepare`.

    Raises
    ------
    ConfigError
        If settings are given that only transfer values have, or an image size that is not the
        network's own.
    WeightsNotFoundError
    """
    specs = get_specs(config.model)
    _check_top(config, specs)
    resolve_precision(config.precision, device=config.device)
    spec = top_spec(specs[0])
    weights = (
        resolve_weights(spec, config.weights)
        if offline
        else fetch_weights(spec, config.weights, on_progress=on_download)
    )
    part = Part(spec=spec, weights=weights, image_size=spec.input_size)
    return Network(parts=(part,), mirrored=config.augment == "hflip", top=True)


def _check_top(config: ExtractConfig, specs: Sequence[BackboneSpec]) -> None:
    own = specs[0].input_size
    if len(specs) > 1:
        raise ConfigError(
            f"--imagenet asks one network, --model {config.model} names {len(specs)}. Name one."
        )
    if config.image_size not in (None, own):
        raise ConfigError(
            f"--image-size {config.image_size}: the top of {specs[0].name} takes images of {own} "
            "pixels, as it was trained. Leave out --image-size."
        )
    given = {
        "--layer": config.layers != (),
        "--pooling": config.pooling != "avg",
        "--views": config.views != 1,
    }
    for flag in [flag for flag, is_given in given.items() if is_given]:
        raise ConfigError(
            f"{flag} is of transfer values, and --imagenet gives what the network's own top makes "
            f"of them. Leave out {flag}."
        )


def make_job(
    config: ExtractConfig, network: Network, manifest: Manifest, *, deadline: float = inf
) -> ExtractJob:
    """Make the job that runs a network over the images of a manifest.

    Parameters
    ----------
    config : ExtractConfig
    network : Network
        Of this config: see `settle_network` and `settle_top_network`.
    manifest : Manifest
    deadline : float
        See `ExtractJob`.
    """
    recipe = Recipe(
        manifest_digest=manifest.digest,
        backbones=tuple(
            _describe_part(part, config.resize, layers=("top",) if network.top else part.layers)
            for part in network.parts
        ),
        pooling=config.pooling,
        precision=resolve_precision(config.precision, device=config.device),
        decoder=DECODER,
        augment=config.augment,
        views=config.views,
        dtype=config.dtype,
    )
    return ExtractJob(
        config=config,
        manifest=manifest,
        network=network,
        recipe=recipe,
        store=store_path(config.cache_dir, manifest.name, recipe),
        deadline=deadline,
    )


def _describe_part(part: Part, resize: str | None, *, layers: tuple[str, ...]) -> BackboneRecipe:
    return BackboneRecipe(
        model=part.spec.name,
        weights_sha256=part.weights.sha256,
        layers=layers,
        input_size=part.image_size,
        resize=resize or part.spec.resize,
        crop_fraction=part.spec.crop_fraction,
        interpolation=part.spec.interpolation,
        preprocessing=part.spec.preprocessing,
    )


def assign_layers(
    specs: Sequence[BackboneSpec], layers: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return which layers are wanted of each backbone, by its name.

    Parameters
    ----------
    specs : sequence of BackboneSpec
    layers : sequence of str
        Plain names for a single backbone; "MODEL:NAME" for one of several.

    Raises
    ------
    ConfigError
        If a layer does not say which backbone it belongs to.
    """
    if len(specs) == 1:
        return {specs[0].name: tuple(layers)}
    wanted: dict[str, tuple[str, ...]] = {spec.name: () for spec in specs}
    for layer in layers:
        model, _, name = layer.partition(":")
        if not name or not _is_one_of(model, specs):
            raise ConfigError(
                f"--layer {layer!r} does not say of which backbone. With several it is written "
                f"MODEL:LAYER, for example {specs[0].name}:{layer}."
            )
        if name in wanted[name_model(model)]:
            raise ConfigError(f"--layer is given twice: {layer}.")
        wanted[name_model(model)] += (name,)
    return wanted


def _is_one_of(model: str, specs: Sequence[BackboneSpec]) -> bool:
    try:
        return get_specs(model)[0] in specs
    except ConfigError:
        return False

"""Settle what answers about images: a fit, and the network whose values it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import LoadedModel, check_features, load_model
from pipeline.backbones.network import Network
from pipeline.backbones.weights import RANDOM_SHA256
from pipeline.cache import read_info
from pipeline.classifiers import class_scores, score_kind
from pipeline.config import ExtractConfig
from pipeline.datasets.loose import list_nothing
from pipeline.errors import (
    ArtifactTamperedError,
    CacheError,
    ConfigError,
    FeatureMismatchError,
    WeightsNotFoundError,
)
from pipeline.extraction.job import ExtractJob
from pipeline.extraction.preparing import make_job, settle_network
from pipeline.extraction.settings import settings_by_recipe, settings_of
from pipeline.ranking import store_of
from pipeline.records import OnProgress, Recipe

PROBABILITY, SCORE = "probability", "score"

Score = Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]]
"""Takes transfer values (n, n_features), returns one score a class (n, n_classes)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictor:
    """All that is needed to answer about images, but for the engine.

    Attributes
    ----------
    source : str
        What answers: the fit's folder, or a network's name.
    clf : str
        The classifier; empty where the network itself answers.
    job : ExtractJob
        Of the network; its manifest lists nothing.
    class_names : tuple of str
    kind : str
        What `score` returns: "probability", or "score" for decision scores.
    score : callable
        Takes the values of images, views averaged.
    model : LoadedModel or None
        The fit, if it is one that answers.
    store : Path or None
        The store that it was fitted on, if that is still there.
    """

    source: str
    clf: str
    job: ExtractJob
    class_names: tuple[str, ...]
    kind: str
    score: Score
    model: LoadedModel | None = None
    store: Path | None = None

    @property
    def short_names(self) -> dict[str, str]:
        """What classes are called for people, if otherwise: the first of ImageNet's synonyms.

        "crane" and the like, which several classes begin with, stay whole.
        """
        if self.model is not None:
            return {}
        first = [name.split(",")[0] for name in self.class_names]
        times = Counter(first)
        pairs = zip(self.class_names, first, strict=True)
        return {name: short for name, short in pairs if times[short] == 1}


def settle_fit(
    folder: Path,
    *,
    cache_dir: Path,
    weights: str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    force: bool = False,
    on_download: OnProgress | None = None,
) -> Predictor:
    """Read a fit back, and settle the network that it takes the values of.

    The store beside the fit tells how its values were made. Where that is gone, for the fit was
    copied elsewhere, the recipe in model.json does, but for where the weights lie.

    Parameters
    ----------
    folder : Path
    cache_dir : Path
        Where converted networks are kept, if there is no store.
    weights : str, optional
        Where they lie now: "imagenet", "random" or a file; they must be the same.
    device : str, optional
        In place of that of the extraction, as are the next two. Other devices and batch sizes may
        change the last bits.
    batch_size, workers : int, optional
    force : bool
        See `load_model`.
    on_download : callable, optional
        Called with (bytes of the weights received, bytes in all), if they are not here yet.

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
        If the fit cannot be used.
    FeatureMismatchError
        If the values here would be of another recipe than the fit's.
    WeightsNotFoundError, BackboneError, ConfigError
        If there is no such network here.
    """
    model = load_model(folder, force=force)
    recipe = _read_recipe(model)
    store = _find_store(model)
    config = _choose_config(recipe, store, cache_dir=cache_dir, weights=weights)
    config = replace(
        config,
        precision=recipe.precision,  # "auto" may mean another one by now
        device=config.device if device is None else device,
        batch_size=config.batch_size if batch_size is None else batch_size,
        workers=config.workers if workers is None else workers,
    )
    network = _settle_network(config, recipe, on_download)
    job = make_job(config, network, list_nothing())
    _check_weights(model, recipe, job.recipe)
    check_features(model, job.recipe.to_dict())
    names = tuple(model.info["class_names"])
    kind = PROBABILITY if score_kind(model.classifier) == "probability" else SCORE
    return Predictor(
        source=str(folder),
        clf=model.info["clf"],
        job=job,
        class_names=names,
        kind=kind,
        score=partial(class_scores, model.classifier, n_classes=len(names)),
        model=model,
        store=store,
    )


def check_one_fit(
    folder: str | Path, *, dataset: str | None, model: str | None, clf: str | None
) -> None:
    """Refuse to be told of which the newest fit is wanted, when one is named.

    Raises
    ------
    ConfigError
    """
    given = {"--dataset": dataset, "--model": model, "--clf": clf}
    for flag in [flag for flag, value in given.items() if value is not None]:
        raise ConfigError(
            f"{flag} chooses among fits, and --fit {folder} names one. Leave out one of them."
        )


def _read_recipe(model: LoadedModel) -> Recipe:
    try:
        return Recipe.from_dict(model.info["recipe"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ArtifactTamperedError(
            f"{model.folder} does not say which transfer values it takes ({exc!r}). Run fit again "
            "with --overwrite."
        ) from exc


def _find_store(model: LoadedModel) -> Path | None:
    """Return the store that a fit lies beside, if it is of the same values."""
    store = store_of(model.folder)
    with suppress(CacheError):
        if read_info(store).key == model.info["key"]:
            return store
    return None


def _choose_config(
    recipe: Recipe, store: Path | None, *, cache_dir: Path, weights: str | None
) -> ExtractConfig:
    if store is not None:
        with suppress(CacheError):  # of loose files, or damaged: the recipe says as much
            config = settings_of(store)
            return config if weights is None else replace(config, weights=weights)
    if weights is None:
        digests = {backbone.weights_sha256 for backbone in recipe.backbones}
        weights = "random" if digests == {RANDOM_SHA256} else "imagenet"
    return settings_by_recipe(recipe, weights=weights, cache_dir=cache_dir)


def _settle_network(
    config: ExtractConfig, recipe: Recipe, on_download: OnProgress | None
) -> Network:
    try:
        return settle_network(config, on_download=on_download)
    except WeightsNotFoundError as exc:
        if config.weights in ("imagenet", "random"):
            raise
        raise WeightsNotFoundError(
            f"The weights that the fit's values were computed with are not at {config.weights} any "
            f"more. Say where they are: --weights FILE (SHA-256 {_digests(recipe)})."
        ) from exc


def _check_weights(model: LoadedModel, fitted_on: Recipe, here: Recipe) -> None:
    """Refuse other weights in words that say which file is wanted."""
    digests = [[each.weights_sha256 for each in recipe.backbones] for recipe in (fitted_on, here)]
    if digests[0] != digests[1]:
        raise FeatureMismatchError(
            f"{model.folder} takes the values of {fitted_on.model} with other weights than those "
            f"found: SHA-256 {_digests(fitted_on)}, not {_digests(here)}. Give the right ones with "
            "--weights FILE."
        )


def _digests(recipe: Recipe) -> str:
    return " and ".join(each.weights_sha256 for each in recipe.backbones)

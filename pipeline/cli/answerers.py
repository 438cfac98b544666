"""Which fit, or which whole network, is to answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline import options
from pipeline.cli import steps
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.predicting.settling import Predictor


def choose_answerer(
    *,
    imagenet: bool,
    fit: Path | None,
    dataset: str | None,
    model: str | None,
    clf: str | None,
    cache_dir: Path,
    force: bool,
) -> Callable[..., Predictor]:
    """Return what settles a fit, or a whole network; parameters as the flags.

    Raises
    ------
    ConfigError
        If flags contradict each other.
    ClassifierNotFoundError
        If there is no such fit.
    """
    if imagenet:
        from pipeline.predicting.whole import settle_whole

        given = {"--fit": fit, "--dataset": dataset, "--clf": clf, "--force": force or None}
        for flag in [flag for flag, value in given.items() if value is not None]:
            raise ConfigError(f"{flag} is of a fit, and --imagenet asks none. Leave out one.")
        return partial(settle_whole, model or options.EXTRACT.model)

    from pipeline.artifacts import newest_fit
    from pipeline.predicting.settling import check_one_fit, settle_fit

    if fit is not None:
        check_one_fit(fit, dataset=dataset, model=model, clf=clf)
        return partial(settle_fit, fit, force=force)
    folder = newest_fit(cache_dir, clf=clf, **steps.named(dataset, model))
    return partial(settle_fit, folder, force=force)

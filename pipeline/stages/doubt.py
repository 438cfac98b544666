"""Find how far from its training images a fit may be asked, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.doubting.rejection import KEEP, find_rejection
from pipeline.doubting.sets import find_prediction_sets
from pipeline.errors import ConfigError
from pipeline.predicting.answering import PredictionSets, Rejection
from pipeline.predicting.settling import Predictor

REJECT_BY = "knn"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doubt:
    """What tells unknown images and gives sets of classes; None where it was not asked for.

    `notes` are sentences for the user.
    """

    rejection: Rejection | None = None
    sets: PredictionSets | None = None
    notes: tuple[str, ...] = ()


def find_doubt(
    predictor: Predictor,
    *,
    reject: bool = False,
    reject_by: str | None = None,
    keep: float | None = None,
    coverage: float | None = None,
) -> Doubt:
    """Find out on training images when an image is unknown, and how many classes it takes.

    Parameters
    ----------
    predictor : Predictor
    reject : bool
        Tell images that are unlike the training images.
    reject_by : str, optional
        How: "knn" or "mahalanobis"; implies `reject`.
    keep : float, optional
        Share of images like the training images that are known, 0-1; implies `reject`.
    coverage : float, optional
        Share of images whose set of classes is to hold the right one, 0-1.

    Raises
    ------
    ConfigError
        If a setting cannot be used, or there is no fit that has training images.
    ClassifierError, CacheError
        If the training images' values cannot be found.
    """
    is_rejecting = reject or reject_by is not None or keep is not None
    if not is_rejecting and coverage is None:
        return Doubt()
    if predictor.model is None:
        raise ConfigError(
            "--reject and --coverage compare with a fit's training images, and the network itself "
            "has none here. Leave them out."
        )
    store, model = predictor.store, predictor.model
    rejection = sets = None
    notes: tuple[str, ...] = ()
    if is_rejecting:
        share = KEEP if keep is None else keep
        rejection = find_rejection(store, model, method=reject_by or REJECT_BY, keep=share)
        notes += rejection.notes
    if coverage is not None:
        sets = find_prediction_sets(store, model, coverage=coverage)
        notes += sets.notes
    return Doubt(rejection=rejection, sets=sets, notes=notes)

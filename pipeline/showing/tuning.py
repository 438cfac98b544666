"""How the network of a fit was trained, where it was trained here."""

from __future__ import annotations

from pipeline import plots
from pipeline.errors import FinetuneError
from pipeline.finetuning.origin import find_origin
from pipeline.records import TunedNetwork
from pipeline.showing.evidence import Evidence
from pipeline.tuned import read_tuned


def find_training(evidence: Evidence) -> TunedNetwork | None:
    """Return how the weights of a fit's network were made; None if that is not known here."""
    folder = find_origin(evidence.store, evidence.report.recipe)
    try:
        return None if folder is None else read_tuned(folder)
    except FinetuneError:
        return None


def draw_training(evidence: Evidence) -> dict[str, tuple[plots.Figure, str]]:
    """Return the curves of the training as "finetuning", with a sentence that says what they show.

    Nothing is returned where the network was not trained here.
    """
    tuned = find_training(evidence)
    if tuned is None:
        return {}
    best = tuned.history[tuned.best_epoch - 1]
    trained = [layer for layer in tuned.layers if layer.trains]
    n_trained = sum(layer.n_parameters for layer in trained)
    n_all = sum(layer.n_parameters for layer in tuned.layers)
    alt = (
        f"Loss and accuracy by epoch while the layers from {trained[0].name} on, {n_trained:,} of "
        f"{n_all:,} parameters, were trained on {tuned.n_train:,} images. Epoch "
        f"{tuned.best_epoch} was taken, with "
        f"{100 * best.validation_accuracy:.1f} % of {tuned.n_validation:,} validation images right."
    )
    return {"finetuning": (plots.draw_training(tuned.history, best_epoch=tuned.best_epoch), alt)}

"""How the training of a network went, as the fitted classifier has it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from pipeline.classifiers.fitting import last_step


def loss_curve(classifier: Any) -> dict[str, Any] | None:
    """Return `Report.loss_curve` of a classifier that was fitted in memory; None if not an mlp.

    Where it stopped early, the weights of the first of the epochs that were right most often on
    the held-out rows stay; otherwise the last epoch's.

    Parameters
    ----------
    classifier : Pipeline or CalibratedClassifierCV
        Fitted.
    """
    network = last_step(classifier)
    if not isinstance(network, MLPClassifier):
        return None
    loss = list(map(float, network.loss_curve_))
    if not network.early_stopping:
        return {"loss": loss, "validation_accuracy": None, "best_epoch": len(loss)}
    accuracy = list(map(float, network.validation_scores_))
    best = int(np.argmax(accuracy)) + 1
    return {"loss": loss, "validation_accuracy": accuracy, "best_epoch": best}

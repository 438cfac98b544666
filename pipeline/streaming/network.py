"""The mlp on streamed rows: small steps, each on rows of many blocks.

A folder's blocks come class by class, which small steps do not bear. Accuracy after 6 epochs on
CIFAR-10's 10,000 training images (EfficientNet-Lite0, 47 blocks), by how many blocks are mixed:

                              in order  1 at random  8 at random   all
    mlp                           87.6         89.0         89.1  89.5
    SGDClassifier, log loss       68.6         86.8         87.4  88.0
    the same, averaged            65.4         52.3         87.8  88.4

The last two are why the linear classifiers do not go by small steps: logreg reaches 89.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from pipeline.streaming.passes import Part, TrainingRows, unfold

UNITS = 256  # as in memory
POOL_BYTES = 32 << 20
MAX_EPOCHS = 100
PATIENCE = 10  # epochs; MLPClassifier's own

Weights = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkFit:
    """A trained network.

    Attributes
    ----------
    network : MLPClassifier
        Of scaled values.
    n_epochs : int
        That made its weights.
    loss_curve : mapping
        As in `Report.loss_curve`.
    notes : tuple of str
    """

    network: MLPClassifier
    n_epochs: int
    loss_curve: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Epoch:
    """What one pass over the blocks made, and what it said of the weights of the pass before.

    Attributes
    ----------
    weights : list of float32 ndarray
        The average of those after each pool: the last pool's own would lean towards the classes
        that happened to be in it.
    loss : float
        On the training rows, the penalty included: the mean over them, each when it was learned.
    n_right : int
        Of the rows that judge, by the judged weights.
    """

    weights: Weights
    loss: float
    n_right: int


@dataclass(kw_only=True, eq=False)
class _Best:
    """The weights that were right most often, and which epoch made them."""

    weights: Weights
    n_right: int = -1
    epoch: int = 0


def train_network(training: TrainingRows, classes: NDArray[np.integer], *, seed: int) -> NetworkFit:
    """Train until the accuracy on the held-out rows stands still; the best epoch's weights stay.

    Each epoch is one pass over the blocks in another order. What an epoch made is asked about the
    held-out rows while the next one reads them.

    Parameters
    ----------
    training : TrainingRows
        Measured.
    classes : integer ndarray of shape (n_classes,)
    seed : int
    """
    notes: tuple[str, ...] = ()
    judges = training.held_out
    if not judges.any():
        judges = np.ones(len(judges), bool)
        notes = (
            "Too few training images to hold some out: the accuracy on the training images "
            "themselves ended the training.",
        )
    trainer = _Trainer(training, classes, judges=judges, seed=seed)
    made = trainer.run_epoch(None)
    best = _Best(weights=made.weights)
    losses, accuracies = [], []
    for epoch in range(1, MAX_EPOCHS + 1):
        following = trainer.run_epoch(made.weights)
        losses.append(made.loss)
        accuracies.append(following.n_right / int(judges.sum()))
        if following.n_right > best.n_right:
            best = _Best(weights=made.weights, n_right=following.n_right, epoch=epoch)
        if epoch - best.epoch >= PATIENCE:
            break
        made = following
    else:
        notes += (
            f"The training stopped after {MAX_EPOCHS} epochs while the accuracy on the images "
            "that were held out still rose: it is that of an unfinished fit. Try --clf logreg.",
        )
    curve = {
        "loss": losses,
        "validation_accuracy": accuracies if training.held_out.any() else None,
        "best_epoch": best.epoch,
    }
    network = trainer.finish(best.weights)
    return NetworkFit(network=network, n_epochs=best.epoch, loss_curve=curve, notes=notes)


class _Trainer:
    def __init__(
        self,
        training: TrainingRows,
        classes: NDArray[np.integer],
        *,
        judges: NDArray[np.bool_],
        seed: int,
    ) -> None:
        self._training = training
        self._classes = classes
        self._judges = judges
        self._order = np.random.default_rng(seed)
        self._network = MLPClassifier((UNITS,), random_state=seed)
        n_rows = int((~training.held_out).sum()) * training.n_views
        self._pool = _Pool(n_rows, width=training.width)

    def run_epoch(self, judged: Weights | None) -> _Epoch:
        """Train for one pass, and count on it how often other weights are right."""
        total: Weights = []
        n_pools = n_right = n_rows = 0
        lost = 0.0
        for part in self._training.read(self._order.permutation(self._training.n_blocks)):
            if judged is not None:
                n_right += _count_right(judged, part, self._judges[part.places])
            for X, y in self._pool.fill(*unfold(part, ~part.held_out)):
                self._network.partial_fit(X, self._classes[y], classes=self._classes)
                lost += float(self._network.loss_) * len(X)
                n_rows += len(X)
                found = [*self._network.coefs_, *self._network.intercepts_]
                total = total or [np.zeros_like(one) for one in found]
                for one, other in zip(total, found, strict=True):
                    one += other
                n_pools += 1
        average = [one / np.float32(n_pools) for one in total]
        return _Epoch(weights=average, loss=lost / n_rows, n_right=n_right)

    def finish(self, weights: Weights) -> MLPClassifier:
        """Return the network with these weights."""
        n_layers = len(weights) // 2
        self._network.coefs_, self._network.intercepts_ = weights[:n_layers], weights[n_layers:]
        return self._network


def _count_right(weights: Weights, part: Part, chosen: NDArray[np.bool_]) -> int:
    """Count the rows whose class a network of one hidden layer of ReLUs names."""
    into, out, into_bias, out_bias = weights
    X = part.X[chosen].mean(axis=1)
    scores = np.maximum(0, X @ into + into_bias) @ out + out_bias
    answers = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1)
    return int((answers == part.y[chosen]).sum())


class _Pool:
    """A bounded number of rows, handed out when it is full.

    Parameters
    ----------
    n_rows : int
        Rows of a whole pass: it is divided into pools of like size, none of a few rows alone.
    width : int
    """

    def __init__(self, n_rows: int, *, width: int) -> None:
        n_pools = -(-n_rows * width * 4 // POOL_BYTES)
        self._X = np.empty((-(-n_rows // n_pools), width), np.float32)
        self._y = np.empty(len(self._X), np.intp)
        self._filled = 0
        self._left = self._n_rows = n_rows

    def fill(
        self, X: NDArray[np.float32], y: NDArray[np.intp]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
        """Put rows in; yield what is full, and what is there after the last row of a pass.

        What is yielded is overwritten afterwards.
        """
        while len(X):
            taken = min(len(X), len(self._X) - self._filled)
            stop = self._filled + taken
            self._X[self._filled : stop], self._y[self._filled : stop] = X[:taken], y[:taken]
            X, y = X[taken:], y[taken:]
            self._filled, self._left = stop, self._left - taken
            if stop == len(self._X) or not self._left:
                yield self._X[:stop], self._y[:stop]
                self._filled = 0
        if not self._left:
            self._left = self._n_rows

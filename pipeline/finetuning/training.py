"""Train epoch by epoch, keep all of it after each, and go on from there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.quiet_keras import keras
from pipeline.config import FinetuneConfig
from pipeline.errors import ConfigError, FinetuneError
from pipeline.finetuning.feeding import Feed
from pipeline.records import Epoch, OnProgress, find_best
from pipeline.tuned import TrainingState, load_state, save_state

OnEpoch = Callable[[tuple[Epoch, ...]], None]
"""Called with all epochs so far, after each."""


def read_arrays(model: keras.Model) -> list[NDArray[Any]]:
    """Return everything that the next epoch begins with, in an order that never changes."""
    return [np.asarray(variable) for variable in _variables(model)]


def write_arrays(model: keras.Model, arrays: Any) -> None:
    """Put back what `read_arrays` returned."""
    for variable, array in zip(_variables(model), arrays, strict=True):
        variable.assign(array)


def _variables(model: keras.Model) -> list[Any]:
    of_metrics = {id(variable) for variable in model.metrics_variables}
    found = {id(v): v for v in (*model.variables, *model.optimizer.variables)}
    return [variable for number, variable in found.items() if number not in of_metrics]


def train(
    model: keras.Model,
    train_feed: Feed,
    validation_feed: Feed,
    config: FinetuneConfig,
    *,
    state: TrainingState | None,
    work: Path,
    identity: Mapping[str, Any],
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress | None = None,
) -> TrainingState:
    """Train until the last epoch, or until the validation accuracy stops to rise.

    Parameters
    ----------
    model : keras.Model
        Compiled. In the end it has the weights of the best epoch.
    train_feed, validation_feed : Feed
        The former must begin with the epoch that follows `state`.
    config : FinetuneConfig
    state : TrainingState or None
        What to go on from, from `load_state`.
    work : Path
        Where the state is kept after each epoch.
    identity : mapping
        See `load_state`.
    on_epoch, on_progress : callable, optional
        The latter is called with (batches done, batches of all epochs).

    Returns
    -------
    TrainingState

    Raises
    ------
    FinetuneError
        If the loss is not finite, or the state cannot be written.
    """
    history = () if state is None else state.history
    keeper = _Keeper(
        config,
        history,
        work=work,
        identity=identity,
        n_batches=len(train_feed),
        on_epoch=on_epoch,
        on_progress=on_progress,
    )
    if state is not None:
        write_arrays(model, state.last)
    if not is_over(history, config):
        callbacks = [keeper]
        if config.tensorboard is not None:
            logs = str(config.tensorboard)
            callbacks.append(keras.callbacks.TensorBoard(logs, write_graph=False))
        model.fit(
            train_feed,
            validation_data=validation_feed,
            initial_epoch=len(history),
            epochs=config.epochs,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        )
    kept = load_state(work, identity)
    if kept is None:
        raise FinetuneError(f"{work} was changed during the training. Run the same command again.")
    write_arrays(model, kept.best)
    return kept


def check_tensorboard(config: FinetuneConfig) -> None:
    """Refuse --tensorboard before hours of work where it cannot be written.

    Raises
    ------
    ConfigError
    """
    if config.tensorboard is not None and find_spec("tensorboard") is None:
        raise ConfigError(
            "--tensorboard needs TensorBoard, which is not installed. Run: pip install tensorboard"
        )


def is_over(history: tuple[Epoch, ...], config: FinetuneConfig) -> bool:
    """Tell whether no epoch is to follow: all are done, or too many brought nothing better."""
    since_best = len(history) - find_best(history)
    return len(history) >= config.epochs or (
        config.patience is not None and bool(history) and since_best >= config.patience
    )


class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps all of a training after every epoch, and ends it when it is over."""

    def __init__(
        self,
        config: FinetuneConfig,
        history: tuple[Epoch, ...],
        *,
        work: Path,
        identity: Mapping[str, Any],
        n_batches: int,
        on_epoch: OnEpoch | None,
        on_progress: OnProgress | None,
    ) -> None:
        super().__init__()
        self._config = config
        self._history = history
        self._work = work
        self._identity = identity
        self._n_batches = n_batches
        self._on_epoch = on_epoch
        self._on_progress = on_progress
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Start the clock; called by Keras."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Tell the progress; called by Keras."""
        if self._on_progress is not None:
            done = len(self._history) * self._n_batches + batch + 1
            self._on_progress(done, self._config.epochs * self._n_batches)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the epoch; called by Keras."""
        found = {name: float(value) for name, value in logs.items()}
        if not all(map(math.isfinite, found.values())):
            raise FinetuneError(
                f"Epoch {epoch + 1} ended with a loss that is not a finite number. Take a smaller "
                f"--learning-rate than {self._config.rate:g}."
            )
        latest = Epoch(
            loss=found["loss"],
            accuracy=found["accuracy"],
            validation_loss=found["val_loss"],
            validation_accuracy=found["val_accuracy"],
            learning_rate=float(self.model.optimizer.learning_rate),
            seconds=round(time.perf_counter() - self._started, 3),
        )
        self._history = (*self._history, latest)
        try:
            save_state(
                self._work,
                self._identity,
                self._history,
                read_arrays(self.model),
                is_best=find_best(self._history) == len(self._history),
            )
        except OSError as exc:
            raise FinetuneError(
                f"Epoch {epoch + 1} cannot be kept: {exc}. Make room; the same command goes on "
                "after the epoch before."
            ) from exc
        if self._on_epoch is not None:
            self._on_epoch(self._history)
        if is_over(self._history, self._config):
            self.model.stop_training = True

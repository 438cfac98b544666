import signal
import subprocess
import sys

import numpy as np
import pytest

from pipeline.backbones.quiet_keras import keras
from pipeline.config import FinetuneConfig
from pipeline.errors import ConfigError, FinetuneError
from pipeline.finetuning import training
from pipeline.finetuning.feeding import Feed
from pipeline.finetuning.network import compile_trainee
from pipeline.finetuning.training import check_tensorboard, is_over, read_arrays, train
from pipeline.records import Epoch, find_best
from pipeline.tuned import load_state
from tests.conftest import REPOSITORY

IDENTITY = {"what": "a test"}
ROWS = np.arange(24)
LABELS = (ROWS % 3).astype(np.int32)


class Points:
    n_views = 1

    def take(self, rows, view):
        noise = np.random.default_rng(0).normal(size=(len(ROWS), 3)).astype(np.float32)
        return (np.eye(3, dtype=np.float32)[rows % 3] + 0.1 * noise[rows],)

    def pools(self, rows):
        return [rows]


def make_model():
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(seed=1))(inputs)
    x = keras.layers.Dropout(0.3, seed=2)(x)
    out = keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed=3))(x)
    return keras.Model(inputs, out)


def run(work, *, state=None, on_epoch=None, source=None, **settings):
    config = FinetuneConfig(**{"epochs": 4, "patience": None, "batch_size": 5, **settings})
    model = make_model()
    epoch = 0 if state is None else len(state.history)
    feeds = [
        Feed(
            source or Points(),
            ROWS,
            LABELS,
            n_classes=3,
            batch_size=config.batch_size,
            shuffled=shuffled,
            epoch=epoch,
        )
        for shuffled in (True, False)
    ]
    compile_trainee(model, config, n_steps=config.epochs * len(feeds[0]), on_gpu=False)
    kept = train(
        model, *feeds, config, state=state, work=work, identity=IDENTITY, on_epoch=on_epoch
    )
    return model, kept


def epoch(accuracy, loss=1.0):
    return Epoch(
        loss=1.0,
        accuracy=0.5,
        validation_loss=loss,
        validation_accuracy=accuracy,
        learning_rate=0.1,
        seconds=1.0,
    )


class Killed(BaseException):
    pass


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path, optimizer):
    settings = {"optimizer": optimizer, "learning_rate": 0.05, "weight_decay": 0.01}
    whole, expected = run(tmp_path / "whole", **settings)

    def stop(history):
        if len(history) == 2:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path / "cut", on_epoch=stop, **settings)
    state = load_state(tmp_path / "cut", IDENTITY)
    assert len(state.history) == 2
    model, kept = run(tmp_path / "cut", state=state, **settings)
    without_time = [(e.loss, e.accuracy, e.validation_loss, e.learning_rate) for e in kept.history]
    assert without_time == [
        (e.loss, e.accuracy, e.validation_loss, e.learning_rate) for e in expected.history
    ]
    for a, b in zip(kept.last, expected.last, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_model_ends_with_the_weights_of_the_best_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "find_best", lambda history: 1 if history else 0)
    model, kept = run(tmp_path)
    assert len(kept.history) == 4
    for a, b in zip(read_arrays(model), kept.best, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(kept.best, kept.last, strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-0001.npz",
        "epoch-0004.npz",
        "state.json",
    ]


def test_a_finished_training_trains_no_more(tmp_path):
    _, kept = run(tmp_path)
    _, again = run(tmp_path, state=kept, on_epoch=lambda history: pytest.fail("trained again"))
    assert again.history == kept.history


def test_it_stops_when_nothing_gets_better(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "find_best", lambda history: min(len(history), 1))
    _, kept = run(tmp_path, epochs=9, patience=2)
    assert len(kept.history) == 3


def test_a_loss_that_is_not_finite_ends_it(tmp_path):
    class Broken(Points):
        def take(self, rows, view):
            return (np.full((len(rows), 3), np.nan, np.float32),)

    with pytest.raises(FinetuneError, match=r"Take a smaller --learning-rate than 0\.0003"):
        run(tmp_path, source=Broken())


def test_no_room_is_said(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training, "save_state", full)
    with pytest.raises(FinetuneError, match=r"Epoch 1 cannot be kept.*No space left"):
        run(tmp_path)


def test_logs_for_tensorboard_are_written_where_they_are_asked_for(tmp_path):
    pytest.importorskip("tensorboard")
    run(tmp_path / "work", tensorboard=tmp_path / "logs", epochs=1)
    assert list((tmp_path / "logs").rglob("*tfevents*"))


def test_tensorboard_that_is_not_installed_is_missed_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    check_tensorboard(FinetuneConfig())
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        check_tensorboard(FinetuneConfig(tensorboard=tmp_path))


class TestFindBest:
    def test_the_highest_validation_accuracy_wins_then_the_lower_loss_then_the_first(self):
        assert find_best([]) == 0
        assert find_best([epoch(0.5), epoch(0.7), epoch(0.6)]) == 2
        assert find_best([epoch(0.7, 2.0), epoch(0.7, 1.0), epoch(0.7, 1.0)]) == 2

    def test_patience_counts_from_the_best(self):
        config = FinetuneConfig(epochs=9, patience=2)
        history = (epoch(0.5), epoch(0.7), epoch(0.6))
        assert not is_over((), config)
        assert not is_over(history, config)
        assert is_over((*history, epoch(0.7, 2.0)), config)
        assert not is_over((*history, epoch(0.8)), config)
        assert is_over((epoch(0.5),) * 9, FinetuneConfig(epochs=9, patience=None))


KILL = """
import os, signal, sys
from pathlib import Path
from tests.finetuning.test_training import run

def kill(history):
    if len(history) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

run(Path(sys.argv[1]), on_epoch=kill, learning_rate=0.05)
"""


def test_killed_by_the_system_it_goes_on(tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", KILL, str(tmp_path / "killed")], cwd=REPOSITORY, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    state = load_state(tmp_path / "killed", IDENTITY)
    assert len(state.history) == 2
    _, kept = run(tmp_path / "killed", state=state, learning_rate=0.05)
    _, expected = run(tmp_path / "whole", learning_rate=0.05)
    for a, b in zip(kept.last, expected.last, strict=True):
        np.testing.assert_array_equal(a, b)

import json

import numpy as np
import pytest

from pipeline import durable
from pipeline.records import Epoch
from pipeline.tuned import clear_state, load_state, save_state

IDENTITY = {"folder": "x", "cut": ["a"]}


def epoch(accuracy):
    return Epoch(
        loss=1.0,
        accuracy=0.5,
        validation_loss=1.0,
        validation_accuracy=accuracy,
        learning_rate=0.1,
        seconds=1.0,
    )


def arrays(number):
    return [np.full((2, 3), number, np.float32), np.array(number, np.int64)]


def save(work, accuracies, *, is_best):
    history = [epoch(each) for each in accuracies]
    save_state(work, IDENTITY, history, arrays(len(history)), is_best=is_best)


def test_the_last_and_the_best_epoch_are_kept(tmp_path):
    save(tmp_path, [0.5], is_best=True)
    save(tmp_path, [0.5, 0.7], is_best=True)
    save(tmp_path, [0.5, 0.7, 0.6], is_best=False)
    state = load_state(tmp_path, IDENTITY)
    assert [each.validation_accuracy for each in state.history] == [0.5, 0.7, 0.6]
    assert [array.max() for array in state.last] == [3, 3]
    assert [array.max() for array in state.best] == [2, 2]
    assert state.last[1].dtype == np.int64
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["epoch-0002.npz", "epoch-0003.npz", "state.json"]


def test_nothing_of_another_training_is_gone_on_with(tmp_path):
    assert load_state(tmp_path, IDENTITY) is None
    save(tmp_path, [0.5], is_best=True)
    assert load_state(tmp_path, {**IDENTITY, "cut": []}) is None
    # and what is saved next does not take the other's best epoch for its own
    other = {**IDENTITY, "cut": []}
    save_state(tmp_path, other, [epoch(0.1)], arrays(9), is_best=False)
    assert load_state(tmp_path, other).best[0].max() == 9


@pytest.mark.parametrize("name", ["epoch-0001.npz", "epoch-0002.npz", "state.json"])
@pytest.mark.parametrize("damage", ["flip", "empty", "delete"])
def test_what_is_damaged_does_not_count(tmp_path, name, damage):
    save(tmp_path, [0.5], is_best=True)
    save(tmp_path, [0.5, 0.4], is_best=False)
    path = tmp_path / name
    if damage == "flip":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        if name == "state.json":
            data = json.dumps({**json.loads(path.read_bytes()), "identity": "?"}).encode()
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    assert load_state(tmp_path, IDENTITY) is None


class Killed(BaseException):
    pass


def test_killed_at_any_step_it_is_the_epoch_before_or_the_new_one(tmp_path, monkeypatch):
    n_steps, at = 0, -1

    def step(action, path):
        nonlocal n_steps
        n_steps += 1
        if n_steps - 1 == at:
            raise Killed

    monkeypatch.setattr(durable, "step", step)
    outcomes = []
    for at in range(40):
        work = tmp_path / str(at)
        at_now, at = at, -1
        save(work, [0.5], is_best=True)
        at, n_steps = at_now, 0
        try:
            save(work, [0.5, 0.7], is_best=True)
        except Killed:
            state = load_state(work, IDENTITY)
            assert state is not None
            n_epochs = len(state.history)
            assert state.last[0].max() == state.best[0].max() == n_epochs
            outcomes.append(n_epochs)
            at = -1
            save(work, [0.5, 0.7], is_best=True)  # and it goes on
            assert len(load_state(work, IDENTITY).history) == 2
        else:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {1, 2}


def test_it_is_cleared(tmp_path):
    save(tmp_path / "work", [0.5], is_best=True)
    clear_state(tmp_path / "work")
    clear_state(tmp_path / "work")
    assert not (tmp_path / "work").exists()

"""What killed and abandoned trainings leave, and what clearing the cache does about it."""

import os
import time

import numpy as np

from pipeline.records import Epoch
from pipeline.stages.clean import clean_cache
from pipeline.tuned import count_epochs, find_trainings_left, lock_tuned, save_state, work_path
from tests.made_tunings import save

EPOCH = Epoch(
    loss=1.0,
    accuracy=0.5,
    validation_loss=1.0,
    validation_accuracy=0.5,
    learning_rate=0.1,
    seconds=1.0,
)


def begin(folder, *, n_epochs=2):
    for n in range(1, n_epochs + 1):
        arrays = [np.zeros(3, np.float32)]
        save_state(work_path(folder), {"folder": folder.name}, [EPOCH] * n, arrays, is_best=True)


def name_folder(tmp_path):
    return tmp_path / "pets" / "efficientnet-lite0-12345678.finetune-0a1b2c3d"


def test_a_training_that_can_go_on_stays_and_says_how(tmp_path):
    folder = name_folder(tmp_path)
    begin(folder)
    done = clean_cache(tmp_path)
    assert done.removed == []
    (kept,) = done.kept
    assert kept.path == work_path(folder)
    assert kept.why.startswith("2 epochs done; the same finetune command goes on")
    assert count_epochs(work_path(folder)) == 2


def test_what_a_training_that_ended_left_goes(tmp_path):
    folder = name_folder(tmp_path)
    begin(folder)
    save(tmp_path)
    partial = folder.with_name(f".{folder.name}.0123abcd.partial")
    partial.mkdir()
    (partial / "weights.weights.h5").write_bytes(b"x" * 10)
    dry = clean_cache(tmp_path, dry_run=True)
    assert partial.exists()
    assert work_path(folder).exists()
    done = clean_cache(tmp_path)
    assert [item.path for item in done.removed] == [item.path for item in dry.removed]
    assert {item.path for item in done.removed} == {partial, work_path(folder)}
    assert not partial.exists()
    assert not work_path(folder).exists()
    assert (folder / "finetune.json").exists()


def test_a_training_that_is_to_replace_another_stays(tmp_path):
    folder, _ = save(tmp_path)
    old = time.time() - 60
    os.utime(folder / "finetune.json", (old, old))
    begin(folder)
    assert clean_cache(tmp_path).removed == []
    assert work_path(folder).exists()


def test_one_that_hardly_began_goes_unless_it_is_going_on(tmp_path):
    folder = name_folder(tmp_path)
    work_path(folder).mkdir(parents=True)
    (work_path(folder) / "epoch-0001.npz").write_bytes(b"x")
    with lock_tuned(folder):
        busy = clean_cache(tmp_path)
    assert busy.removed == []
    assert "by another process" in busy.kept[0].why
    assert [item.path for item in clean_cache(tmp_path).removed] == [work_path(folder)]


def test_what_is_called_otherwise_or_is_a_link_is_left_alone(tmp_path):
    folder = name_folder(tmp_path)
    folder.parent.mkdir()
    (folder.parent / f".{folder.name}.mine").mkdir()
    (tmp_path / "elsewhere").mkdir()
    work_path(folder).symlink_to(tmp_path / "elsewhere")
    assert find_trainings_left(folder.parent) == []

"""What finetune leaves on disk: a folder beside the store of the network it began with.

    cache/<dataset>/<model>-<key8>.finetune-<hash8>/
        weights.weights.h5   the network without a top, for extract --weights
        finetune.json        the TunedNetwork, and the SHA-256 of the other files
        images.csv           every image: path, its SHA-256, and what it was used for
        history.csv          loss and accuracy by epoch
        curves.png .svg      the same, drawn
    cache/<dataset>/.<model>-<key8>.finetune-<hash8>.work/     what an unfinished training resumes

A hash finds damage and mixed-up files. Weights are numbers: loading them runs nothing.
"""

from pipeline.tuned.folder import (
    CURVES,
    lock_tuned,
    settings_of_split,
    settings_of_tuning,
    tuned_path,
    work_path,
)
from pipeline.tuned.leftovers import TrainingLeft, find_trainings_left, remove_training_left
from pipeline.tuned.reading import find_tuned, read_image_uses, read_tuned, weights_path
from pipeline.tuned.state import TrainingState, clear_state, count_epochs, load_state, save_state
from pipeline.tuned.writing import images_csv, save_tuned

__all__ = [
    "CURVES",
    "TrainingLeft",
    "TrainingState",
    "clear_state",
    "count_epochs",
    "find_trainings_left",
    "find_tuned",
    "images_csv",
    "load_state",
    "lock_tuned",
    "read_image_uses",
    "read_tuned",
    "remove_training_left",
    "save_state",
    "save_tuned",
    "settings_of_split",
    "settings_of_tuning",
    "tuned_path",
    "weights_path",
    "work_path",
]

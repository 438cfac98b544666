"""What a network's training came to, as its folder keeps it and the commands print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One pass over the training images.

    Attributes
    ----------
    loss, accuracy : float
        Means over the training images while the weights changed, dropout and distortions included;
        the accuracy 0-1.
    validation_loss, validation_accuracy : float
        Of the weights after the epoch, on the validation images as they are.
    learning_rate : float
        After the epoch.
    seconds : float
    """

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedLayer:
    """One layer that has weights.

    Attributes
    ----------
    name, kind : str
        Its own name, and its class.
    shape : tuple of int
        Of what it gives for one image: (height, width, channels), or (units,).
    n_parameters : int
    trains : bool
        Whether training changes it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    n_parameters: int
    trains: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedNetwork:
    """What a training came to: the content of finetune.json.

    Attributes
    ----------
    dataset, model : str
    weights_sha256, start_sha256 : str
        SHA-256 of the weights file that was made, and of the weights that the training began with.
    config, split_config : mapping
        `FinetuneConfig.to_dict()`, and what decided which images tested.
    split : str
        How the test rows were chosen, in words.
    class_names : tuple of str
    cut : tuple of str
        Layers whose output was kept and trained on; empty if whole images were.
    layers : tuple of TrainedLayer
        Of the network and its head, in order.
    history : tuple of Epoch
    best_epoch : int
        Whose weights were kept, counted from 1.
    n_train, n_validation, n_test : int
        Images.
    accuracy : float
        Of the network with the head it was trained with, on the test images, 0-1.
    accuracy_ci : tuple of (float, float)
        95 % interval.
    device : str
    seconds : float
        Of all epochs.
    versions : mapping of str to str
    created : str
    notes : tuple of str
    """

    dataset: str
    model: str
    weights_sha256: str
    start_sha256: str
    config: Mapping[str, Any]
    split_config: Mapping[str, Any]
    split: str
    class_names: tuple[str, ...]
    cut: tuple[str, ...]
    layers: tuple[TrainedLayer, ...]
    history: tuple[Epoch, ...]
    best_epoch: int
    n_train: int
    n_validation: int
    n_test: int
    accuracy: float
    accuracy_ci: tuple[float, float]
    device: str
    seconds: float
    versions: Mapping[str, str]
    created: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TunedNetwork:
        """Rebuild it from `to_dict`, also after a way through JSON.

        Raises
        ------
        TypeError, KeyError
            If they are other fields.
        """
        rebuilt: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        rebuilt["layers"] = tuple(
            TrainedLayer(**{**layer, "shape": tuple(layer["shape"])}) for layer in fields["layers"]
        )
        rebuilt["history"] = tuple(Epoch(**epoch) for epoch in fields["history"])
        return cls(**rebuilt)


def find_best(history: Sequence[Epoch]) -> int:
    """Return the epoch whose weights are to be kept, counted from 1; 0 if there is none.

    It has the highest validation accuracy; among equals the lowest validation loss, then the first.
    """
    if not history:
        return 0
    numbers = range(len(history))
    best = min(
        numbers,
        key=lambda k: (-history[k].validation_accuracy, history[k].validation_loss),
    )
    return best + 1

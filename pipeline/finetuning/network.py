"""The network that is trained: the layers behind the cut, or all of them, and a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.backbones.headless import preprocess
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import PREPROCESSINGS, BackboneSpec
from pipeline.config import FinetuneConfig
from pipeline.finetuning.distorting import make_distortions
from pipeline.records import TrainedLayer


class _AsInInference(keras.layers.Layer):  # type: ignore[misc]
    """A network that computes as in inference while what is around it is trained.

    `network(x, training=False)` within a functional model does not do that: in Keras 3.15 the
    `training=True` of the model around it overrules it, and batch normalisation averages on.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="as_in_inference")
        self.network = network

    def call(self, x: Any) -> Any:
        """Return what the network gives."""
        return self.network(x, training=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trainee:
    """A network that is ready to be trained.

    Attributes
    ----------
    model : keras.Model
        From what lies at the cut, float32, one array for each of its layers; or from uint8 images
        (b, h, w, 3). To float32 (b, n_classes), logits.
    backbone : keras.Model
        The whole network without its head, sharing its layers with `model`.
    cut_shapes : tuple of tuple of int
        Of what lies at the cut for one image; empty if it takes whole images.
    layers : tuple of TrainedLayer
    """

    model: keras.Model
    backbone: keras.Model
    cut_shapes: tuple[tuple[int, ...], ...]
    layers: tuple[TrainedLayer, ...]


def make_trainee(
    backbone: keras.Model,
    spec: BackboneSpec,
    config: FinetuneConfig,
    *,
    first: int,
    cut: Sequence[str],
    n_classes: int,
    seed: int,
) -> Trainee:
    """Put a head on a backbone of which only the last layers train.

    The backbone computes as in inference, while it is trained, too: the statistics of batch
    normalisation stay what they were, and nothing drops out but in the head. That is what keeps a
    few images from undoing what millions taught it.

    Parameters
    ----------
    backbone : keras.Model
        From `build_bare`, changed in place: from `first` on its layers train.
    spec : BackboneSpec
    config : FinetuneConfig
    first : int
        Number of the first layer that trains.
    cut : sequence of str
        From `find_cut`; empty to train on whole images.
    n_classes : int
    seed : int

    References
    ----------
    Keras guide "Transfer learning & fine-tuning", on BatchNormalization.
    """
    for number, layer in enumerate(backbone.layers):
        layer.trainable = number >= first
    if cut:
        taps = [backbone.get_layer(name).output for name in cut]
        inputs = [keras.Input(tap.shape[1:], dtype="float32") for tap in taps]
        tail = keras.Model(taps, backbone.output, name="tail")
        maps = _AsInInference(tail)(inputs if len(inputs) > 1 else inputs[0])
        shapes = tuple(tuple(tap.shape[1:]) for tap in taps)
    else:
        side = backbone.input.shape[1]
        inputs = [keras.Input((side, side, 3), dtype="uint8", name="images")]
        pixels = keras.ops.cast(inputs[0], "float32")
        for layer in make_distortions(config.augment, seed=seed):
            pixels = layer(pixels)
        maps = _AsInInference(backbone)(preprocess(pixels, PREPROCESSINGS[spec.preprocessing]))
        shapes = ()
    head = _make_head(maps, config, n_classes=n_classes, seed=seed)
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], head[-1][1], name="trainee")
    layers = [_describe(layer) for layer in backbone.layers if layer.weights]
    layers += [_describe(layer) for layer, _ in head if layer.weights]
    return Trainee(model=model, backbone=backbone, cut_shapes=shapes, layers=tuple(layers))


def _make_head(
    maps: Any, config: FinetuneConfig, *, n_classes: int, seed: int
) -> list[tuple[Any, Any]]:
    """Return the layers of the head, each with what it gives."""
    made: list[tuple[Any, Any]] = []
    x = maps

    def add(layer: Any) -> None:
        nonlocal x
        x = layer(x)
        made.append((layer, x))

    if len(maps.shape) == 4:
        add(keras.layers.GlobalAveragePooling2D(dtype="float32", data_format="channels_last"))
    for number, units in enumerate(config.head):
        add(
            keras.layers.Dense(
                units,
                use_bias=not config.batch_norm,
                kernel_initializer=keras.initializers.HeNormal(seed=seed + number),
                name=f"head_{number}",
                dtype="float32",
            )
        )
        if config.batch_norm:
            add(keras.layers.BatchNormalization(name=f"head_{number}_bn", dtype="float32"))
        add(keras.layers.ReLU(name=f"head_{number}_relu", dtype="float32"))
        if config.dropout:
            add(keras.layers.Dropout(config.dropout, seed=seed + 1000 + number))
    if config.dropout and not config.head:
        add(keras.layers.Dropout(config.dropout, seed=seed + 1000))
    add(
        keras.layers.Dense(
            n_classes,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 2000),
            name="logits",
            dtype="float32",
        )
    )
    return made


def _describe(layer: Any) -> TrainedLayer:
    return TrainedLayer(
        name=layer.name,
        kind=type(layer).__name__,
        shape=tuple(layer.output.shape[1:]),
        n_parameters=layer.count_params(),
        trains=bool(layer.trainable_weights),
    )


def compile_trainee(
    model: keras.Model, config: FinetuneConfig, *, n_steps: int, on_gpu: bool
) -> None:
    """Give a network its optimizer and its loss, and the optimizer its variables.

    Parameters
    ----------
    model : keras.Model
    config : FinetuneConfig
    n_steps : int
        Batches of all epochs, over which the learning rate falls.
    on_gpu : bool
    """
    rate: Any = config.rate
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(config.rate, decay_steps=n_steps)
    settings: dict[str, Any] = {"weight_decay": config.weight_decay or None}
    if config.optimizer == "adamw":
        settings["weight_decay"] = config.weight_decay
    if config.optimizer == "sgd":
        settings |= {"momentum": 0.9, "nesterov": True}
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    optimizer = kinds[config.optimizer](rate, **settings)
    # What must not be drawn to zero: offsets, and the scales of normalisation.
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        ),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        # XLA on a CPU runs such networks many times slower; see KerasEngine.
        jit_compile="auto" if on_gpu else False,
    )
    optimizer.build(model.trainable_variables)

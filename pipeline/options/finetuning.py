"""Flags: which layers of a network are trained further, on what, and how."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from pathlib import Path
from typing import Annotated

from pipeline.config import (
    DISTORTIONS,
    LAST_BLOCK,
    OPTIMIZERS,
    SCHEDULES,
    ExtractConfig,
    FinetuneConfig,
    parse_count,
)
from pipeline.errors import ConfigError
from pipeline.options.flags import EXTRACT, MACHINE, NETWORK, OUTPUT, choices, option
from pipeline.options.images import (
    DataDirArg,
    DatasetArg,
    ImageSizeArg,
    LabelColumnArg,
    LimitArg,
    ResizeArg,
)
from pipeline.options.machine import DeviceArg, DtypeArg, PrecisionArg, WorkersArg
from pipeline.options.network import ModelArg, WeightsArg
from pipeline.options.output import OverwriteArg
from pipeline.options.places import CacheDirArg

TRAINING = "Training"
FINETUNE = FinetuneConfig()

UnfreezeArg = Annotated[
    str,
    option(
        "--unfreeze-from",
        NETWORK,
        f"Train from here on: {LAST_BLOCK}, the name of a layer, or its number.",
        "LAYER",
    ),
]
HeadArg = Annotated[
    str | None,
    option(
        "--head",
        NETWORK,
        "Hidden layers in front of the last one while it trains, as in 256,128,64.",
        "N,N",
        default="none",
    ),
]
BatchNormArg = Annotated[
    bool, option("--batch-norm", NETWORK, "Normalise each hidden layer of the head by the batch.")
]
DropoutArg = Annotated[
    float, option("--dropout", TRAINING, "Share of the head's inputs that drop out.", "SHARE")
]
OptimizerArg = Annotated[
    str, option("--optimizer", TRAINING, "What steps are taken.", choices(OPTIMIZERS))
]
LearningRateArg = Annotated[
    float | None,
    option("--learning-rate", TRAINING, "How long they are.", "RATE", default="the optimizer's"),
]
ScheduleArg = Annotated[
    str,
    option(
        "--schedule",
        TRAINING,
        "Whether the learning rate falls to 0 along a cosine.",
        choices(SCHEDULES),
    ),
]
WeightDecayArg = Annotated[
    float, option("--weight-decay", TRAINING, "How strongly weights are drawn to 0.", "RATE")
]
SmoothingArg = Annotated[
    float,
    option("--label-smoothing", TRAINING, "Share of each label that all classes get.", "SHARE"),
]
EpochsArg = Annotated[int, option("--epochs", TRAINING, "Passes over the training images.", "N")]
TrainedBatchArg = Annotated[
    int, option("--batch-size", TRAINING, "Images that make one step.", "N")
]
PatienceArg = Annotated[
    str,
    option(
        "--patience",
        TRAINING,
        "Stop after so many epochs without a better validation accuracy.",
        "N|never",
    ),
]
ValidationSizeArg = Annotated[
    float,
    option(
        "--validation-size",
        TRAINING,
        "Share of the training images that tell the best epoch.",
        "SHARE",
    ),
]
DistortArg = Annotated[
    list[str] | None,
    option(
        "--augment",
        TRAINING,
        "Change the training images at random; may be given more than once.",
        choices(DISTORTIONS),
    ),
]
CacheFrozenArg = Annotated[
    bool | None,
    option(
        "--cache-frozen/--no-cache-frozen",
        MACHINE,
        "Compute what the frozen layers give once, and train on that.",
        default="unless --augment asks for more than hflip",
    ),
]
MixedPrecisionArg = Annotated[
    bool,
    option(
        "--mixed-precision",
        MACHINE,
        "Train with products in bfloat16; weights and sums stay float32.",
    ),
]
TensorboardArg = Annotated[
    Path | None, option("--tensorboard", OUTPUT, "Also write logs for TensorBoard here.", "DIR")
]
FitTooArg = Annotated[
    bool,
    option(
        "--fit/--no-fit", OUTPUT, "Then extract with the new weights and fit, on the same split."
    ),
]


def start_config(
    *,
    dataset: DatasetArg = EXTRACT.dataset,
    model: ModelArg = EXTRACT.model,
    data_dir: DataDirArg = EXTRACT.data_dir,
    cache_dir: CacheDirArg = EXTRACT.cache_dir,
    label_column: LabelColumnArg = EXTRACT.label_column,
    limit: LimitArg = EXTRACT.limit,
    image_size: ImageSizeArg = EXTRACT.image_size,
    resize: ResizeArg = EXTRACT.resize,
    weights: WeightsArg = EXTRACT.weights,
    workers: WorkersArg = "auto",
    device: DeviceArg = EXTRACT.device,
    precision: PrecisionArg = EXTRACT.precision,
    dtype: DtypeArg = EXTRACT.dtype,
    overwrite: OverwriteArg = EXTRACT.overwrite,
) -> ExtractConfig:
    """Return the settings of the extraction that a training begins with; its flags."""
    if "+" in model:
        raise ConfigError(
            f"--model {model}: one network is trained at a time. Name one of them; their tuned "
            "values cannot be joined."
        )
    return ExtractConfig(
        dataset=dataset,
        model=model,
        data_dir=data_dir,
        cache_dir=cache_dir,
        label_column=label_column,
        limit=limit,
        image_size=image_size,
        resize=resize,
        weights=weights,
        workers=parse_count("--workers", workers),
        device=device,
        precision=precision,
        dtype=dtype,
        overwrite=overwrite,
    )


def finetune_config(
    *,
    unfreeze_from: UnfreezeArg = FINETUNE.unfreeze_from,
    head: HeadArg = None,
    batch_norm: BatchNormArg = FINETUNE.batch_norm,
    dropout: DropoutArg = FINETUNE.dropout,
    optimizer: OptimizerArg = FINETUNE.optimizer,
    learning_rate: LearningRateArg = FINETUNE.learning_rate,
    schedule: ScheduleArg = FINETUNE.schedule,
    weight_decay: WeightDecayArg = FINETUNE.weight_decay,
    label_smoothing: SmoothingArg = FINETUNE.label_smoothing,
    epochs: EpochsArg = FINETUNE.epochs,
    batch_size: TrainedBatchArg = FINETUNE.batch_size,
    patience: PatienceArg = str(FINETUNE.patience),
    validation_size: ValidationSizeArg = FINETUNE.validation_size,
    augment: DistortArg = None,
    cache_frozen: CacheFrozenArg = FINETUNE.cache_frozen,
    mixed_precision: MixedPrecisionArg = FINETUNE.mixed_precision,
    tensorboard: TensorboardArg = None,
) -> FinetuneConfig:
    """Return how a network is to be trained; the parameters are its flags."""
    return FinetuneConfig(
        unfreeze_from=unfreeze_from,
        head=_parse_head(head),
        batch_norm=batch_norm,
        dropout=dropout,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        epochs=epochs,
        batch_size=batch_size,
        patience=_parse_patience(patience),
        validation_size=validation_size,
        augment=tuple(augment or ()),
        cache_frozen=cache_frozen,
        mixed_precision=mixed_precision,
        tensorboard=tensorboard,
    )


def _parse_head(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(units) for units in (text or "").split(",") if text)
    except ValueError as exc:
        raise ConfigError(
            f"--head is a list of whole numbers, as in 256,128,64. Got: {text!r}."
        ) from exc


def _parse_patience(text: str) -> int | None:
    if text == "never":
        return None
    try:
        return int(text)
    except ValueError as exc:
        raise ConfigError(f"--patience must be a whole number, or never. Got: {text!r}.") from exc

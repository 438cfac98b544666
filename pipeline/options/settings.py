"""Settings of the stages, made of the flags that they share."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

import inspect
import math
from typing import Any

from pipeline.config import (
    ALL,
    CLASSIFIERS,
    ExtractConfig,
    FitConfig,
    Gates,
    parse_count,
    parse_duration,
)
from pipeline.errors import ConfigError
from pipeline.options.flags import EXTRACT, FIT
from pipeline.options.images import (
    DataDirArg,
    DatasetArg,
    ImageSizeArg,
    LabelColumnArg,
    LimitArg,
    ResizeArg,
)
from pipeline.options.learning import (
    CArg,
    ClassWeightArg,
    ClfArg,
    CvArg,
    GroupByArg,
    LearningCurveArg,
    MinAccuracyArg,
    MinRecallArg,
    SeedArg,
    ShotsArg,
    SplitArg,
    StreamArg,
    TestSizeArg,
    TuneArg,
)
from pipeline.options.machine import (
    BatchSizeArg,
    DeviceArg,
    DtypeArg,
    MaxTimeArg,
    PrecisionArg,
    WorkersArg,
)
from pipeline.options.network import (
    AugmentArg,
    LayerArg,
    ModelArg,
    PoolingArg,
    ViewsArg,
    WeightsArg,
)
from pipeline.options.output import ModelsArg, OverwriteArg
from pipeline.options.places import CacheDirArg, OfDatasetArg, OfModelArg, PlottedStoreArg


def extract_config(
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
    layer: LayerArg = None,
    pooling: PoolingArg = EXTRACT.pooling,
    augment: AugmentArg = EXTRACT.augment,
    views: ViewsArg = EXTRACT.views,
    batch_size: BatchSizeArg = "auto",
    workers: WorkersArg = "auto",
    device: DeviceArg = EXTRACT.device,
    precision: PrecisionArg = EXTRACT.precision,
    dtype: DtypeArg = EXTRACT.dtype,
    max_time: MaxTimeArg = None,
    overwrite: OverwriteArg = EXTRACT.overwrite,
) -> ExtractConfig:
    """Return the settings of stage one; the parameters are its flags."""
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
        layers=tuple(layer or ()),
        pooling=pooling,
        augment=augment,
        views=views,
        batch_size=parse_count("--batch-size", batch_size),
        workers=parse_count("--workers", workers),
        device=device,
        precision=precision,
        dtype=dtype,
        max_time=None if max_time is None else parse_duration(max_time),
        overwrite=overwrite,
    )


def fit_configs(
    *,
    clf: ClfArg = FIT.clf,
    C: CArg = FIT.C,
    tune: TuneArg = FIT.tune,
    class_weight: ClassWeightArg = FIT.class_weight,
    split: SplitArg = FIT.split,
    test_size: TestSizeArg = FIT.test_size,
    group_by: GroupByArg = FIT.group_by,
    shots: ShotsArg = FIT.shots,
    cv: CvArg = FIT.cv,
    seed: SeedArg = FIT.seed,
    learning_curve: LearningCurveArg = FIT.learning_curve,
    stream: StreamArg = FIT.stream,
) -> tuple[FitConfig, ...]:
    """Return the settings of stage two, one for each classifier; the parameters are its flags."""
    return tuple(
        FitConfig(
            clf=name,
            C=C,
            tune=tune,
            class_weight=class_weight,
            split=split,
            test_size=test_size,
            group_by=group_by,
            shots=shots,
            cv=cv,
            seed=seed,
            learning_curve=learning_curve,
            stream=stream,
        )
        for name in (CLASSIFIERS if clf == ALL else (clf,))
    )


def gates(*, min_accuracy: MinAccuracyArg = None, min_recall: MinRecallArg = None) -> Gates:
    """Return what a fit must reach; the parameters are its flags."""
    return Gates(min_accuracy=min_accuracy, min_recall=dict(map(_parse_recall, min_recall or ())))


def plotted_store(
    *,
    cache: PlottedStoreArg = None,
    dataset: OfDatasetArg = None,
    model: OfModelArg = None,
    cache_dir: CacheDirArg = EXTRACT.cache_dir,
) -> dict[str, Any]:
    """Return which store is asked for; the parameters are its flags."""
    return {"name": cache, "dataset": dataset, "model": model, "cache_dir": cache_dir}


def _parse_recall(text: str) -> tuple[str, float]:
    name, equals, share = text.rpartition("=")
    try:
        least = float(share)
    except ValueError:
        least = math.nan
    if not equals or math.isnan(least):
        raise ConfigError(f"--min-recall is written as CLASS=SHARE, as in cat=0.9. Got: {text!r}.")
    return name, least


def sweep_configs(*, models: str, **flags: Any) -> tuple[ExtractConfig, ...]:
    """Return the settings of stage one for each of several models; the flags are extract's."""
    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"--models is a list of names, as in vgg16,resnet50. Got: {models!r}.")
    return tuple(extract_config(model=name, **flags) for name in dict.fromkeys(names))


def _take_flags_of_extract() -> None:
    """Give `sweep_configs` the flags of `extract_config`, with --models in the place of --model."""
    of_extract = inspect.signature(extract_config)
    of_models = inspect.Parameter(
        "models", inspect.Parameter.KEYWORD_ONLY, default=EXTRACT.model, annotation=ModelsArg
    )
    parameters = [
        of_models if name == "model" else flag for name, flag in of_extract.parameters.items()
    ]
    sweep_configs.__signature__ = of_extract.replace(  # type: ignore[attr-defined]
        parameters=parameters
    )
    sweep_configs.__annotations__ = {flag.name: flag.annotation for flag in parameters}


_take_flags_of_extract()

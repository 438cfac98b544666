"""The command line's vocabulary: one flag, one name, one sentence, wherever it is used."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

import inspect
import math
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

from pipeline.config import (
    ALL,
    AUGMENTS,
    CLASSIFIERS,
    DTYPES,
    POOLINGS,
    PRECISIONS,
    RESIZES,
    SPLITS,
    ExtractConfig,
    FitConfig,
    Gates,
    parse_count,
    parse_duration,
)
from pipeline.errors import ConfigError

EXTRACT = ExtractConfig()
FIT = FitConfig()

_IMAGES = "Images"
_NETWORK = "Network"
_MACHINE = "Machine"
_CLASSIFIER = "Classifier"
_SPLIT = "Split"
_CHOOSE = "Place"
_OUTPUT = "Output"


def _option(
    flag: str,
    panel: str,
    text: str,
    metavar: str | None = None,
    *,
    default: str | bool = True,
) -> OptionInfo:
    """Return a flag; `default` is how the help names a default that is not a plain value."""
    option: OptionInfo = typer.Option(
        ..., flag, help=text, metavar=metavar, rich_help_panel=panel, show_default=default
    )
    return option


def _choices(values: tuple[str, ...]) -> str:
    return "|".join(values)


# What to read
DatasetArg = Annotated[
    str,
    _option(
        "--dataset",
        _IMAGES,
        "A name (see `pipeline datasets`), a folder of class folders, or a CSV/JSONL file.",
        "NAME|FOLDER|FILE",
    ),
]
DataDirArg = Annotated[
    Path, _option("--data-dir", _IMAGES, "Where named data sets lie or are downloaded to.", "DIR")
]
LabelColumnArg = Annotated[
    str | None,
    _option("--label-column", _IMAGES, "The CSV/JSONL column that holds the label.", "NAME"),
]
LimitArg = Annotated[
    int | None,
    _option("--limit", _IMAGES, "Take only N images, spread evenly over the classes.", "N"),
]
ImageSizeArg = Annotated[
    int | None,
    _option("--image-size", _IMAGES, "Side of the input in pixels.", "N", default="the model's"),
]
ResizeArg = Annotated[
    str | None,
    _option(
        "--resize",
        _IMAGES,
        "How a photo becomes square: cut out its centre, squash it, or pad it.",
        _choices(RESIZES),
        default="the model's",
    ),
]
StrictArg = Annotated[
    bool, _option("--strict", _IMAGES, "Exit with code 4 if any image was skipped.")
]

# What to run them through
ModelArg = Annotated[
    str,
    _option(
        "--model",
        _NETWORK,
        "The headless CNN (see `pipeline models`); A+B joins the values of two.",
        "NAME",
    ),
]
WeightsArg = Annotated[
    str,
    _option(
        "--weights",
        _NETWORK,
        "Pretrained on ImageNet, random, or a weights file.",
        "imagenet|random|FILE",
    ),
]
LayerArg = Annotated[
    list[str] | None,
    _option(
        "--layer",
        _NETWORK,
        "Take the values of this layer instead of the last; may be given more than once. With "
        "--model A+B it is written MODEL:NAME.",
        "NAME",
    ),
]
PoolingArg = Annotated[
    str,
    _option(
        "--pooling",
        _NETWORK,
        "Average or maximum over the map's places, or the map flattened.",
        _choices(POOLINGS),
    ),
]

AugmentArg = Annotated[
    str,
    _option(
        "--augment",
        _NETWORK,
        "Also compute each image mirrored left to right, and average the two.",
        _choices(AUGMENTS),
    ),
]
ViewsArg = Annotated[
    int,
    _option(
        "--views",
        _NETWORK,
        "2 keeps image and mirror image apart, so that a classifier is trained on both.",
        "1|2",
    ),
]

# What to run it on
BatchSizeArg = Annotated[
    str,
    _option(
        "--batch-size",
        _MACHINE,
        "Images that go through the network at once; halved when the memory is full.",
        "auto|N",
    ),
]
WorkersArg = Annotated[
    str,
    _option("--workers", _MACHINE, "Threads that decode images; auto is one a core.", "auto|N"),
]
DeviceArg = Annotated[
    str,
    _option(
        "--device",
        _MACHINE,
        "auto takes a GPU where there is one, else the CPU.",
        "auto|cpu|gpu|gpu:N",
    ),
]
PrecisionArg = Annotated[
    str,
    _option(
        "--precision",
        _MACHINE,
        "What the network computes in; auto takes the fastest there is.",
        _choices(PRECISIONS),
    ),
]
MaxTimeArg = Annotated[
    str | None,
    _option(
        "--max-time",
        _MACHINE,
        "Stop between two blocks after this time, with exit code 124; the same command goes on.",
        "2h|30m|90s",
    ),
]
DtypeArg = Annotated[
    str, _option("--dtype", _MACHINE, "What the values are stored as.", _choices(DTYPES))
]

# Stage two
ClfArg = Annotated[
    str,
    _option(
        "--clf",
        _CLASSIFIER,
        f"The classifier: {', '.join(CLASSIFIERS)}, or all of them, one after the other.",
        "NAME|all",
    ),
]
CArg = Annotated[
    float | None,
    _option(
        "--C",
        _CLASSIFIER,
        "Inverse strength of regularisation, of logreg, svm and linear-svm.",
        "C",
        default="tuned",
    ),
]
TuneArg = Annotated[
    bool,
    _option(
        "--tune/--no-tune",
        _CLASSIFIER,
        "Choose C, or what the classifier has in its place, by cross-validation on the training "
        "images.",
    ),
]
ClassWeightArg = Annotated[
    str | None,
    _option(
        "--class-weight", _CLASSIFIER, "Count rare classes as much as common ones.", "balanced"
    ),
]
SplitArg = Annotated[
    str,
    _option(
        "--split",
        _SPLIT,
        "stratified draws the same share of each class; stable goes by each image's content, so "
        "that adding images moves none. A split of the data set's own is always kept.",
        _choices(SPLITS),
    ),
]
TestSizeArg = Annotated[
    float,
    _option(
        "--test-size",
        _SPLIT,
        "Share of the images to test on, where the data set has no split of its own.",
        "SHARE",
    ),
]
GroupByArg = Annotated[
    str | None,
    _option(
        "--group-by",
        _SPLIT,
        "Keep images of one group (patient, scene, camera) on one side: a column of the data set's "
        "table, or a regular expression for paths, whose (parentheses) are the group.",
        "COLUMN|REGEX",
    ),
]
ShotsArg = Annotated[
    int | None, _option("--shots", _SPLIT, "Train on at most N images of each class.", "N")
]
CvArg = Annotated[
    int | None,
    _option(
        "--cv",
        _SPLIT,
        "Also cross-validate all of it, tuning included, on the training images, in K folds.",
        "K",
    ),
]
SeedArg = Annotated[int, _option("--seed", _SPLIT, "Decides the split and everything random.", "N")]
LearningCurveArg = Annotated[
    bool,
    _option(
        "--learning-curve",
        _CLASSIFIER,
        "Also measure how the accuracy grows with the training images, and forecast it.",
    ),
]
StreamArg = Annotated[
    bool | None,
    _option(
        "--stream/--no-stream",
        _CLASSIFIER,
        "Fit block by block, with values that do not fit into the memory; not svm and knn.",
        default="when they exceed half of the free memory",
    ),
]
MinAccuracyArg = Annotated[
    float | None,
    _option("--min-accuracy", _OUTPUT, "Exit with code 3 if the accuracy is below this.", "SHARE"),
]
MinRecallArg = Annotated[
    list[str] | None,
    _option(
        "--min-recall",
        _OUTPUT,
        "Exit with code 3 if the recall of a class is below this; may be given more than once.",
        "CLASS=SHARE",
    ),
]

# Which store or fit
CacheDirArg = Annotated[
    Path, _option("--cache-dir", _CHOOSE, "Where stores and fits are kept.", "DIR")
]
OfDatasetArg = Annotated[
    str | None, _option("--dataset", _CHOOSE, "The newest one of this data set.", "NAME")
]
OfModelArg = Annotated[
    str | None, _option("--model", _CHOOSE, "The newest one of this model.", "NAME")
]
OfClfArg = Annotated[
    str | None, _option("--clf", _CHOOSE, "The newest one of this classifier.", "NAME")
]
StoreArg = Annotated[
    Path | None,
    typer.Argument(metavar="STORE", help="A store made by extract.", show_default="the newest"),
]
VerifiedStoreArg = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE", help="Its path, file name, or how its key begins.", show_default="all"
    ),
]
RepairArg = Annotated[
    bool,
    _option(
        "--repair",
        _OUTPUT,
        "Compute again, from the data set they came from, blocks that are damaged or missing.",
    ),
]
StoreNameArg = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE",
        help="A store's path, name, or the beginning of its key, as `pipeline cache ls` has them.",
        show_default="the newest",
    ),
]
OldStoreArg = Annotated[
    str, typer.Argument(metavar="A", help="The old store: path, name, or beginning of the key.")
]
NewStoreArg = Annotated[
    str, typer.Argument(metavar="B", help="The new store: path, name, or beginning of the key.")
]
FitArg = Annotated[
    Path | None,
    typer.Argument(metavar="FIT", help="A folder made by fit.", show_default="the newest"),
]

PlottedStoreArg = Annotated[
    str | None,
    _option(
        "--cache",
        _CHOOSE,
        "The store of transfer values: path, name, or beginning of its key.",
        "STORE",
        default="the store that was used last",
    ),
]
ImagePathArg = Annotated[
    str | None,
    _option(
        "--image", _CHOOSE, "Path of the image as the store has it.", "PATH", default="the first"
    ),
]
NImagesArg = Annotated[int, _option("--limit", _CHOOSE, "How many images.", "N")]
MaxPointsArg = Annotated[
    int, _option("--limit", _CHOOSE, "Of more images than these, take a part by lot.", "N")
]

# What to print
DryRunArg = Annotated[
    bool,
    _option(
        "--dry-run",
        _OUTPUT,
        "Decode every image, time one batch, say what it would cost, and write nothing.",
    ),
]
OverwriteArg = Annotated[bool, _option("--overwrite", _OUTPUT, "Compute it again if it is there.")]
OnlyDatasetArg = Annotated[
    str | None, _option("--dataset", _CHOOSE, "Only stores of this data set.", "NAME")
]
OnlyModelArg = Annotated[
    str | None, _option("--model", _CHOOSE, "Only stores of this model.", "NAME")
]
SupersededArg = Annotated[
    bool,
    _option(
        "--superseded",
        _CHOOSE,
        "Also complete stores for which a newer one of the same recipe stands in, and their fits.",
    ),
]
ListOnlyArg = Annotated[bool, _option("--dry-run", _OUTPUT, "Say what would go, remove nothing.")]
ToArg = Annotated[Path, _option("--to", _OUTPUT, "The file to write; for npy the folder.", "PATH")]
FormatArg = Annotated[
    str | None,
    _option(
        "--format",
        _OUTPUT,
        "What to write.",
        "npy|csv|parquet",
        default="by the name of PATH, else npy",
    ),
]
ReplaceArg = Annotated[
    bool,
    _option(
        "--overwrite",
        _OUTPUT,
        "Replace the file, or the folder of an earlier export, that is there.",
    ),
]
JsonArg = Annotated[bool, _option("--json", _OUTPUT, "Print one JSON object instead.")]
PageArg = Annotated[
    bool,
    _option(
        "--html/--no-html",
        _OUTPUT,
        "Also make report.html: one file with all there is to see, to look at or to mail.",
    ),
]
HtmlArg = Annotated[
    bool,
    _option(
        "--html",
        _OUTPUT,
        "Also make a page: one HTML file with all there is to see, to look at or to mail.",
    ),
]
HtmlToArg = Annotated[
    Path | None,
    _option("--to", _OUTPUT, "Make the page here instead; implies --html.", "FILE"),
]
TsneArg = Annotated[
    bool,
    _option(
        "--tsne/--no-tsne",
        _OUTPUT,
        "In the page and the figures: a t-SNE map, too, and UMAP's if umap-learn is installed.",
    ),
]
ExplainArg = Annotated[
    bool,
    _option(
        "--explain/--no-explain",
        _OUTPUT,
        "In the page: lay over the mistakes what spoke for the answer, where that can be told.",
    ),
]
FigureToArg = Annotated[
    Path | None,
    _option(
        "--to",
        _OUTPUT,
        "The file to write, as PNG or SVG by its name.",
        "FILE",
        default="DATASET-WHAT.png here",
    ),
]
FiguresArg = Annotated[
    Path | None,
    _option("--figures", _OUTPUT, "Also make figures for a paper here, as PNG and SVG.", "DIR"),
]
QuietArg = Annotated[
    bool, _option("--quiet", _OUTPUT, "Print no progress and no notes, only the result.")
]
ModelsArg = Annotated[
    str, _option("--models", _NETWORK, "The headless CNNs, separated by commas.", "NAME,NAME")
]
SweepToArg = Annotated[
    Path | None,
    _option(
        "--to", _OUTPUT, "Also write the table to this file, as CSV or JSON by its name.", "FILE"
    ),
]
FitsArg = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FIT...",
        help="Folders made by fit.",
        show_default="all of the newest fit's store with the same split",
    ),
]


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

"""The command line's vocabulary: one flag, one name, one sentence, wherever it is used."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

from pipeline.config import (
    AUGMENTS,
    CLASSIFIERS,
    DTYPES,
    POOLINGS,
    PRECISIONS,
    RESIZES,
    ExtractConfig,
    FitConfig,
    parse_count,
    parse_duration,
)

EXTRACT = ExtractConfig()
FIT = FitConfig()

_IMAGES = "Images"
_NETWORK = "Network"
_MACHINE = "Machine"
_CLASSIFIER = "Classifier"
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
ClfArg = Annotated[str, _option("--clf", _CLASSIFIER, "The classifier.", _choices(CLASSIFIERS))]
CArg = Annotated[
    float | None,
    _option(
        "--C",
        _CLASSIFIER,
        "Inverse strength of regularisation, of logreg, svm and linear-svm.",
        "C",
        default="the classifier's",
    ),
]
TestSizeArg = Annotated[
    float,
    _option(
        "--test-size",
        _CLASSIFIER,
        "Share of the images to test on, where the data set has no split of its own.",
        "SHARE",
    ),
]
SeedArg = Annotated[
    int, _option("--seed", _CLASSIFIER, "Decides the split and everything random.", "N")
]
CvArg = Annotated[
    int | None,
    _option("--cv", _CLASSIFIER, "Also cross-validate on the training images, in K folds.", "K"),
]
ClassWeightArg = Annotated[
    str | None,
    _option(
        "--class-weight", _CLASSIFIER, "Count rare classes as much as common ones.", "balanced"
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
QuietArg = Annotated[
    bool, _option("--quiet", _OUTPUT, "Print no progress and no notes, only the result.")
]
MinAccuracyArg = Annotated[
    float | None,
    _option("--min-accuracy", _OUTPUT, "Exit with code 3 if the accuracy is below this.", "SHARE"),
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


def fit_config(
    *,
    clf: ClfArg = FIT.clf,
    C: CArg = FIT.C,
    test_size: TestSizeArg = FIT.test_size,
    seed: SeedArg = FIT.seed,
    cv: CvArg = FIT.cv,
    class_weight: ClassWeightArg = FIT.class_weight,
) -> FitConfig:
    """Return the settings of stage two; the parameters are its flags."""
    return FitConfig(clf=clf, C=C, test_size=test_size, seed=seed, cv=cv, class_weight=class_weight)

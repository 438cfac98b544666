"""What flows between the stages: plain frozen records, no behaviour beyond their own fields."""

from pipeline.records.advice import Advice, Counts, Probe, Probed, Step
from pipeline.records.answers import UNKNOWN, Answer, Predictions
from pipeline.records.exports import ModelExport, SelfCheck
from pipeline.records.finetuning import Epoch, TrainedLayer, TunedNetwork, find_best
from pipeline.records.hashing import hash_json
from pipeline.records.heads import DenseLayer, Head, KernelLayer, Layer, NeighbourLayer
from pipeline.records.names import csv_name, csv_path, decode_names, encode_names, printable
from pipeline.records.page import (
    AnsweredRows,
    ClassAcrossFits,
    ComparisonContent,
    Disagreement,
    Explanation,
    PageContent,
    ScatterMap,
    StaticFigure,
)
from pipeline.records.recipe import (
    FORMAT_VERSION,
    BackboneRecipe,
    Recipe,
    describe_augment,
    flatten_recipe,
)
from pipeline.records.report import Report
from pipeline.records.results import (
    WAITS,
    Estimate,
    Extraction,
    FitResult,
    OnProgress,
    TimeLedger,
    describe_waits,
)
from pipeline.records.rounding import exact_decimal, fix_digits, write_percent
from pipeline.records.rows import (
    UNLABELLED,
    FeatureTable,
    ImageBatch,
    Manifest,
    Oddity,
    SampleTable,
    Split,
    Status,
)
from pipeline.records.verdict import Called, Figure, Piece, Sentence, Verdict

__all__ = [
    "FORMAT_VERSION",
    "UNKNOWN",
    "UNLABELLED",
    "WAITS",
    "Advice",
    "Answer",
    "AnsweredRows",
    "BackboneRecipe",
    "Called",
    "ClassAcrossFits",
    "ComparisonContent",
    "Counts",
    "DenseLayer",
    "Disagreement",
    "Epoch",
    "Estimate",
    "Explanation",
    "Extraction",
    "FeatureTable",
    "Figure",
    "FitResult",
    "Head",
    "ImageBatch",
    "KernelLayer",
    "Layer",
    "Manifest",
    "ModelExport",
    "NeighbourLayer",
    "Oddity",
    "OnProgress",
    "PageContent",
    "Piece",
    "Predictions",
    "Probe",
    "Probed",
    "Recipe",
    "Report",
    "SampleTable",
    "ScatterMap",
    "SelfCheck",
    "Sentence",
    "Split",
    "StaticFigure",
    "Status",
    "Step",
    "TimeLedger",
    "TrainedLayer",
    "TunedNetwork",
    "Verdict",
    "csv_name",
    "csv_path",
    "decode_names",
    "describe_augment",
    "describe_waits",
    "encode_names",
    "exact_decimal",
    "find_best",
    "fix_digits",
    "flatten_recipe",
    "hash_json",
    "printable",
    "write_percent",
]

"""What flows between the stages: plain frozen records, no behaviour beyond their own fields."""

from pipeline.records.hashing import hash_json
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

__all__ = [
    "FORMAT_VERSION",
    "UNLABELLED",
    "WAITS",
    "AnsweredRows",
    "BackboneRecipe",
    "ClassAcrossFits",
    "ComparisonContent",
    "Disagreement",
    "Estimate",
    "Explanation",
    "Extraction",
    "FeatureTable",
    "FitResult",
    "ImageBatch",
    "Manifest",
    "Oddity",
    "OnProgress",
    "PageContent",
    "Recipe",
    "Report",
    "SampleTable",
    "ScatterMap",
    "Split",
    "StaticFigure",
    "Status",
    "TimeLedger",
    "csv_name",
    "csv_path",
    "decode_names",
    "describe_augment",
    "describe_waits",
    "encode_names",
    "exact_decimal",
    "fix_digits",
    "flatten_recipe",
    "hash_json",
    "printable",
    "write_percent",
]

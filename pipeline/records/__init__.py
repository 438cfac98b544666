"""What flows between the stages: plain frozen records, no behaviour beyond their own fields."""

from pipeline.records.names import csv_name, csv_path, decode_names, encode_names, printable
from pipeline.records.recipe import FORMAT_VERSION, Recipe
from pipeline.records.results import Estimate, Extraction, FitResult, OnProgress, Report
from pipeline.records.rows import FeatureTable, ImageBatch, Manifest, Oddity, Split, Status

__all__ = [
    "FORMAT_VERSION",
    "Estimate",
    "Extraction",
    "FeatureTable",
    "FitResult",
    "ImageBatch",
    "Manifest",
    "Oddity",
    "OnProgress",
    "Recipe",
    "Report",
    "Split",
    "Status",
    "csv_name",
    "csv_path",
    "decode_names",
    "encode_names",
    "printable",
]

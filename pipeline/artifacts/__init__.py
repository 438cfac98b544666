"""What a fit leaves on disk: a folder beside the store, written whole or not at all.

    cache/<dataset>/<model>-<key8>.zarr                         the transfer values
    cache/<dataset>/<model>-<key8>.fits/<clf>-<hash8>/          a fit on them
        model.joblib       the scikit-learn Pipeline
        model.json         what it was fitted on and by, and the SHA-256 of the other files
        metrics.json       the Report
        predictions.csv    every test row: path, label, prediction, split, score:<class>…
        report.html        the page, made from the others, and figures/, where they were asked for
        doubt-<what>.kept  what tells unknown images, or chooses sets, where it was asked for
    cache/<dataset>/<model>-<key8>.fits/map-<method>-<hash8>.map    a map of test rows

Unpickling runs code. The bytes of model.joblib are therefore read once, hashed, and unpickled
only if model.json, itself guarded by a digest, vouches for them. That finds damage and mixed-up
files; whoever can write both files can still run code, so load only fits from people you trust.
"""

from pipeline.artifacts.description import fit_path, read_info
from pipeline.artifacts.keeping import keep_arrays, read_arrays
from pipeline.artifacts.loading import LoadedModel, check_features, load_model
from pipeline.artifacts.pages import (
    KeptMap,
    MapPlace,
    map_place,
    page_path,
    read_map,
    save_map,
    save_page,
)
from pipeline.artifacts.reading import (
    mark_used,
    newest_fit,
    read_file,
    read_report,
    read_vouched,
    verify_files,
)
from pipeline.artifacts.writing import mark_gates, save_fit

__all__ = [
    "KeptMap",
    "LoadedModel",
    "MapPlace",
    "check_features",
    "fit_path",
    "keep_arrays",
    "load_model",
    "map_place",
    "mark_gates",
    "mark_used",
    "newest_fit",
    "page_path",
    "read_arrays",
    "read_file",
    "read_info",
    "read_map",
    "read_report",
    "read_vouched",
    "save_fit",
    "save_map",
    "save_page",
    "verify_files",
]

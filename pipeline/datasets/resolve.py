"""From what `--dataset` says, a name, a folder or a table, to a `Manifest`."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from pipeline.datasets.catalog import KNOWN_NAMES, DatasetSpec, find_spec
from pipeline.datasets.folder import read_folder
from pipeline.datasets.manifest import build_manifest
from pipeline.datasets.parsing import TABLE_EXTENSIONS
from pipeline.datasets.scan import has_image, looks_like_image
from pipeline.datasets.table import read_table
from pipeline.errors import ConfigError, DatasetError
from pipeline.records import Manifest, OnProgress

ARCHIVE_EXTENSIONS = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")


def load_manifest(
    dataset: str,
    *,
    data_dir: Path,
    label_column: str | None = None,
    limit: int | None = None,
    cache_dir: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Manifest:
    """List, order and hash the images of a data set that lies on disk.

    Parameters
    ----------
    dataset : str
        A known name, a folder, or a CSV or JSONL file. A name means `data_dir/<name>/`; write
        `./digits` for a folder of your own that is called like a known data set.
    data_dir : Path
        Where named data sets lie.
    label_column : str, optional
        Column of the table that holds the label.
    limit : int, optional
        Take this many images, spread evenly over splits and classes.
    cache_dir : Path, optional
        Where hashes are remembered, so that a file whose `stat` is still the same is not read
        again: `cache_dir/<name>/`. Without it every file is hashed and nothing is written.
    on_progress : callable, optional
        Called with how many files are known or hashed and how many there are.

    Raises
    ------
    DatasetError
        If there is no such data set, or it is not labelled. EmptyDatasetError if it has no image.
    """
    path = _find_path(dataset, data_dir)
    if path.is_dir():
        if label_column is not None:
            raise ConfigError(
                f"--label-column {label_column} is for a CSV or JSONL file, but {path} is a "
                "folder. Leave it out, or give the table: --dataset labels.csv."
            )
        listing = read_folder(path)
    else:
        _check_table(path)
        listing = read_table(path, label_column=label_column)
    return build_manifest(
        name_dataset(dataset), listing, limit=limit, cache_dir=cache_dir, on_progress=on_progress
    )


def name_dataset(dataset: str) -> str:
    """Return what a data set is called in the cache: `pets` for ../photos/pets/ or pets.csv."""
    if _is_name(dataset):
        return dataset
    path = Path(dataset).expanduser()
    is_table = path.suffix.lower() in TABLE_EXTENSIONS and not path.is_dir()
    return safe_name(path.stem if is_table else path.resolve().name)


def is_present(name: str, data_dir: Path) -> bool:
    """Tell whether `data_dir/<name>/` holds an image."""
    return has_image(Path(data_dir) / name)


def needs_fetch(dataset: str, data_dir: Path) -> bool:
    """Tell whether `dataset` is a known name whose images are not on disk yet."""
    return _is_name(dataset) and not is_present(dataset, data_dir)


def describe_size(n_bytes: int) -> str:
    """Return a number of bytes as people read it: `825 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes} bytes"


def describe_by_hand(spec: DatasetSpec, data_dir: Path) -> str:
    """Return what to download and where to put it, and what works without."""
    files = "\n".join(f"  {file.url} ({describe_size(file.size)})" for file in spec.files)
    it = "it" if len(spec.files) == 1 else "them"
    others = f" ({' or '.join(spec.by_hand)} from Kaggle will do as well)" if spec.by_hand else ""
    return (
        f"By hand: download\n{files}\n"
        f"put {it} into {data_dir / spec.name}/ without unpacking{others}, and run the "
        "same command again. Without a download: --dataset digits."
    )


def safe_name(name: str) -> str:
    """Return `name` as the name of a folder: letters, digits and `._-`, never empty."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100] or "dataset"


def _is_name(dataset: str) -> bool:
    return dataset in KNOWN_NAMES


def _find_path(dataset: str, data_dir: Path) -> Path:
    """Return the resolved folder or file that `dataset` means."""
    if not dataset.strip():
        raise DatasetError("--dataset is empty. Give a name, a folder, or a CSV or JSONL file.")
    spec = find_spec(dataset)
    if spec is not None:
        if not is_present(dataset, data_dir):
            raise DatasetError(_describe_absent(spec, data_dir))
        return (data_dir / dataset).resolve()
    given = Path(dataset).expanduser()
    separators = tuple(filter(None, (os.sep, os.altsep)))
    candidates = [given] if any(s in dataset for s in separators) else [given, data_dir / dataset]
    for candidate in candidates:
        try:
            return candidate.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            continue
    raise DatasetError(_describe_unknown(dataset, data_dir))


def _check_table(path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix in TABLE_EXTENSIONS and path.is_file():
        return
    if suffix in ARCHIVE_EXTENSIONS:
        hint = "It is an archive: unpack it and give the folder."
    elif looks_like_image(path.name):
        hint = f"It is one image: give the folder of class folders, such as {path.parent.parent}."
    else:
        hint = f"A table ends in {', '.join(TABLE_EXTENSIONS)}."
    raise DatasetError(f"--dataset {path} is neither a folder nor a CSV or JSONL file. {hint}")


def _describe_absent(spec: DatasetSpec, data_dir: Path) -> str:
    folder = data_dir / spec.name
    if not spec.files:
        return (
            f"The data set {spec.name} is not in {folder} yet. Run: extract --dataset {spec.name}, "
            "which writes it there; it needs no download."
        )
    size = describe_size(spec.download_bytes)
    return (
        f"The data set {spec.name} is not in {folder}. Run: extract --dataset {spec.name}, which "
        f"downloads {size}. {describe_by_hand(spec, data_dir)}"
    )


def _describe_unknown(dataset: str, data_dir: Path) -> str:
    local = [p.name for p in data_dir.iterdir() if p.is_dir()] if data_dir.is_dir() else []
    names = [*KNOWN_NAMES, *sorted(set(local) - set(KNOWN_NAMES))]
    close = difflib.get_close_matches(dataset.lower(), names, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"There is no data set, folder or file {dataset!r} (looked in {Path.cwd()} and {data_dir})."
        f"{meant} Known names: {', '.join(KNOWN_NAMES)}. Otherwise give a folder of class folders, "
        "or a CSV or JSONL file."
    )

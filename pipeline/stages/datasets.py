"""List the data sets that have a name. Apart from `fetch`, which imports scikit-learn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.datasets.catalog import DATASETS, DatasetSpec
from pipeline.datasets.resolve import is_present


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEntry:
    """One line of `pipeline datasets`.

    Attributes
    ----------
    name : str
    about : str
    images : int
    classes : int
    download_bytes : int
        0 for an embedded data set.
    present : bool
        Whether its images are on disk.
    folder : str
        Where they are, or where files are to be put by hand.
    urls : tuple of str
    hash_source : str
        Who recorded the hashes that downloads are compared with.
    """

    name: str
    about: str
    images: int
    classes: int
    download_bytes: int
    present: bool
    folder: str
    urls: tuple[str, ...]
    hash_source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "urls": list(self.urls)}


def list_datasets(data_dir: Path) -> list[DatasetEntry]:
    """Return every data set that has a name, and whether it is on disk."""
    return [_describe(spec, data_dir) for spec in DATASETS]


def _describe(spec: DatasetSpec, data_dir: Path) -> DatasetEntry:
    return DatasetEntry(
        name=spec.name,
        about=spec.about,
        images=spec.n_images,
        classes=len(spec.class_names),
        download_bytes=spec.download_bytes,
        present=is_present(spec.name, data_dir),
        folder=str(data_dir / spec.name),
        urls=tuple(file.url for file in spec.files),
        hash_source=spec.hash_source,
    )

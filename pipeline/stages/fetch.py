"""Put a named data set on disk as folders of images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import filelock

from pipeline.datasets.archives import unpack, unpack_into
from pipeline.datasets.arrays import ImagesAndLabels, read_cifar_folder, read_idx_files
from pipeline.datasets.catalog import KNOWN_NAMES, DatasetSpec, find_spec
from pipeline.datasets.digits import read_digits
from pipeline.datasets.obtain import FetchJob, Progress, obtain
from pipeline.datasets.resolve import is_present
from pipeline.datasets.scan import has_image
from pipeline.datasets.staging import remove_folder, stage_folder
from pipeline.errors import DatasetError
from pipeline.images import encode_png


def fetch(name: str, data_dir: Path, on_progress: Progress | None = None) -> Path:
    """Put a named data set into `data_dir/<name>/` unless it is there.

    An archive that already lies in `data_dir/<name>/` or `data_dir/` is taken instead of a
    download, and left where it is. A downloaded one is removed once its images are in place: the
    images are verified by then, and a student's disk should not hold them twice.

    Parameters
    ----------
    name : str
        A name of the catalog.
    data_dir : Path
    on_progress : callable, optional
        See `Progress`.

    Returns
    -------
    Path
        `data_dir/<name>`.

    Raises
    ------
    DownloadError
        If a file cannot be had or is not the one that was promised; says what to do by hand.
    DatasetError
        If there is no such name, or the folder cannot be written.
    """
    spec = find_spec(name)
    if spec is None:
        raise DatasetError(
            f"There is no data set {name!r} to fetch. Known names: {', '.join(KNOWN_NAMES)}."
        )
    return fetch_spec(spec, data_dir, on_progress)


def fetch_spec(spec: DatasetSpec, data_dir: Path, on_progress: Progress | None = None) -> Path:
    """Do what `fetch` does, for a data set that need not be in the catalog."""
    job = FetchJob(spec, data_dir, on_progress or _ignore_progress)
    try:
        # The second of two fetches waits and finds the work done; a kill frees the lock.
        with filelock.FileLock(job.downloads.with_name(f"{spec.name}.lock")):
            if not is_present(spec.name, data_dir):
                _MAKERS[spec.kind](job)
                shutil.rmtree(job.downloads, ignore_errors=True)
    except OSError as exc:
        raise DatasetError(
            f"Cannot write the data set {spec.name} into {data_dir}: {exc.strerror or exc} "
            f"({exc.filename}). Make room there, or give another folder: --data-dir."
        ) from exc
    return job.folder


def _ignore_progress(_what: str, _done: int, _total: int) -> None:
    pass


def _make_images(job: FetchJob) -> None:
    """Unpack an archive of image files."""
    (file,) = job.spec.files
    archive = obtain(job, file, instead=job.spec.by_hand)
    total = job.spec.n_images
    with stage_folder(job.final) as staging:
        unpack_into(archive, staging, on_progress=lambda n: job.report("unpack", n, max(n, total)))
        _unpack_inner(staging)
        if not has_image(staging):
            raise DatasetError(f"{archive} holds no image. Expected {total:,}. Remove it.")


def _unpack_inner(staging: Path) -> None:
    """Unpack the train.zip inside Kaggle's dogs-vs-cats.zip; its test images have no labels."""
    inner = staging / "train.zip"
    if inner.is_file():
        unpack_into(inner, staging)
        inner.unlink()
        (staging / "test1.zip").unlink(missing_ok=True)


def _make_digits(job: FetchJob) -> None:
    _write_parts(job, {"": read_digits()})


def _make_cifar(job: FetchJob) -> None:
    (file,) = job.spec.files
    archive = obtain(job, file)
    raw = job.downloads / "raw"
    remove_folder(raw)
    unpack(archive, raw, on_progress=lambda n: job.report("unpack", n, 0))
    n_classes = len(job.spec.class_names)
    _write_parts(job, read_cifar_folder(raw, source=archive, n_classes=n_classes))


def _make_idx(job: FetchJob) -> None:
    paths = {file.name: obtain(job, file) for file in job.spec.files}
    _write_parts(job, read_idx_files(paths, n_classes=len(job.spec.class_names)))


def _write_parts(job: FetchJob, parts: dict[str, ImagesAndLabels]) -> None:
    """Write arrays as `<split>/<class>/<number>.png`; the number is the row in the original."""
    total = sum(len(labels) for _, labels in parts.values())
    if total != job.spec.n_images:
        raise DatasetError(
            f"The files of {job.spec.name} hold {total:,} images. Expected {job.spec.n_images:,}."
        )
    done = 0
    with stage_folder(job.final) as staging:
        for split, (images, labels) in parts.items():
            width = len(str(len(labels)))
            folders = [staging / split / name for name in job.spec.class_names]
            for folder in folders:
                folder.mkdir(parents=True)
            for number, (image, label) in enumerate(zip(images, labels, strict=True), start=1):
                (folders[label] / f"{number:0{width}d}.png").write_bytes(encode_png(image))
                done += 1
                if not done % 500 or done == total:
                    job.report("write", done, total)


_MAKERS: dict[str, Callable[[FetchJob], None]] = {
    "embedded": _make_digits,
    "images": _make_images,
    "cifar": _make_cifar,
    "idx": _make_idx,
}

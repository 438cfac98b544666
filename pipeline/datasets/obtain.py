"""Get a data set's files: put there by hand, or downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.catalog import DatasetSpec, RemoteFile
from pipeline.datasets.hashing import hash_file
from pipeline.datasets.resolve import describe_by_hand
from pipeline.download import download
from pipeline.errors import DownloadError

Progress = Callable[[str, int, int], None]
"""Called with `download`, `unpack` or `write`, what is done and the total (0 if unknown);
`download` counts bytes, the others files."""


@dataclass(frozen=True, slots=True)
class FetchJob:
    """A data set on its way to the disk."""

    spec: DatasetSpec
    data_dir: Path
    report: Progress

    @property
    def folder(self) -> Path:
        """Where the data set belongs."""
        return self.data_dir / self.spec.name

    @property
    def final(self) -> Path:
        """The folder to create: one deeper where an archive was put into the first by hand."""
        return self.folder / self.spec.name if self.folder.exists() else self.folder

    @property
    def downloads(self) -> Path:
        """Where downloads wait; hidden, and outside the data set."""
        return self.data_dir / ".downloads" / self.spec.name

    def record_of(self, file_name: str) -> Path:
        """Where the hash is kept that a file without a published one had the first time."""
        return self.downloads.with_name(f"{self.spec.name}-{file_name}.sha256")


def obtain(job: FetchJob, file: RemoteFile, *, instead: tuple[str, ...] = ()) -> Path:
    """Return a verified file from the data folder, downloading it if it is not there.

    Parameters
    ----------
    job : FetchJob
    file : RemoteFile
    instead : tuple of str
        Names of other files that are taken when they lie in the data folder.

    Raises
    ------
    DownloadError
        If it cannot be had, or is not the file that was promised.
    """
    by_hand = job.folder / file.name
    if by_hand.is_file():
        return _verify(job, by_hand, file.sha256)
    beside = job.data_dir / file.name
    # MNIST and Fashion-MNIST use the same names: here the size tells whose file it is.
    if beside.is_file() and beside.stat().st_size == file.size:
        return _verify(job, beside, file.sha256)
    for name in instead:
        if (job.folder / name).is_file():
            return _verify(job, job.folder / name, None)
    record = job.record_of(file.name)
    found = download(
        file.url,
        job.downloads / file.name,
        size=file.size,
        digest=file.sha256 or _read_record(record),
        on_progress=lambda done, total: job.report("download", done, total),
        advice=describe_by_hand(job.spec, job.data_dir),
    )
    if file.sha256 is None:
        _write_record(record, found)
    return job.downloads / file.name


def _verify(job: FetchJob, path: Path, sha256: str | None) -> Path:
    """Check a file put there by hand; without a known hash, against the one seen first."""
    record = job.record_of(path.name)
    expected = sha256 or _read_record(record)
    found = hash_file(path)[1].hex()
    if expected not in (None, found):
        raise DownloadError(
            f"{path} is not the file that was expected: SHA-256 {expected}, got {found}. It may be "
            "cut off or another version. Remove it and run the same command again, or unpack it "
            f"yourself into {job.folder}/ if you trust it."
        )
    if expected is None:
        _write_record(record, found)
    return path


def _read_record(record: Path) -> str | None:
    return record.read_text("ascii").strip() if record.exists() else None


def _write_record(record: Path, sha256: str) -> None:
    record.write_text(sha256 + "\n", "ascii")

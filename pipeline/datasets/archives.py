"""Unpack zip and tar archives without trusting them.

Members become regular files with plain permissions below one folder, or the archive is refused:
paths that leave the folder, links, devices, encrypted, sparse or repeated members, too many files
or too many bytes (a "zip bomb" of a few kilobytes can hold gigabytes of zeros). Sizes that an
archive states are believed where they are too large, before anything is written.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from pipeline.datasets.staging import stage_folder
from pipeline.errors import DatasetError

MAX_FILES = 1_000_000
MAX_BYTES = 8 * 10**9  # the largest data set that has a name unpacks to a tenth of this
MAX_HEADER_BYTES = 1 << 20  # of a tar's long names; tarfile reads them into memory whole
BLOCK_BYTES = 1 << 20

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a zip compression Python does not know
)
_LONG_NAME_TYPES = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_TOO_MUCH = "passes the limit on unpacked bytes"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive: the bytes it says it has, and how to read it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path,
    destination: Path,
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
    on_progress: Callable[[int], None] | None = None,
) -> Path:
    """Unpack an archive into a folder that appears whole or not at all.

    Parameters
    ----------
    archive : Path
        A zip, or a tar that is plain or compressed with gzip, bzip2 or xz; told by its content.
    destination : Path
        Must not exist, or be empty.
    max_files, max_bytes : int
        Refuse archives that hold more; folders count as files do.
    on_progress : callable, optional
        Called with the number of files written.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    DatasetError
        If the archive is broken or has a member that is refused.
    """
    with stage_folder(destination) as staging:
        unpack_into(
            archive, staging, max_files=max_files, max_bytes=max_bytes, on_progress=on_progress
        )
    return destination


def unpack_into(
    archive: Path,
    folder: Path,
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Unpack an archive into a folder that exists; see `unpack`."""
    left = max_bytes
    try:
        members = _read_members(archive, max_files=max_files, max_bytes=max_bytes)
        for number, member in enumerate(members, start=1):
            left -= _write(archive, member, folder, left)
            if on_progress is not None:
                on_progress(number)
    except (*_BROKEN, OSError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise  # about the disk; gzip and bz2 say "broken" by an OSError without a number
        raise DatasetError(
            f"{archive} is not a whole archive: {exc}. Remove it and run the same command again."
        ) from exc


def _read_members(archive: Path, *, max_files: int, max_bytes: int) -> Iterator[Member]:
    if zipfile.is_zipfile(archive):
        return _read_zip(archive, max_files, max_bytes)
    return _read_tar(archive, max_files)


def _read_zip(archive: Path, max_files: int, max_bytes: int) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        left = max_bytes
        for info in _at_most(max_files, file.infolist(), archive):
            mode = info.external_attr >> 16
            left -= info.file_size
            if info.flag_bits & 0x1:
                raise _refuse(archive, info.filename, "is encrypted")
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refuse(archive, info.filename, "is a link or a device")
            if left < 0:
                raise _refuse(archive, info.filename, _TOO_MUCH)
        for info in file.infolist():
            if not info.is_dir():
                yield Member(info.filename, info.file_size, partial(file.open, info))


class _TarInfo(tarfile.TarInfo):
    """A tar header that does not make tarfile read gigabytes of "name" into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _TarInfo:
        """Refuse the headers of long names that are too long for one."""
        info = super().frombuf(buf, encoding, errors)
        if info.type in _LONG_NAME_TYPES and info.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def _read_tar(archive: Path, max_files: int) -> Iterator[Member]:
    with tarfile.open(archive, "r:*", errors="surrogateescape", tarinfo=_TarInfo) as file:
        for info in _at_most(max_files, file, archive):
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                raise _refuse(archive, info.name, "is a link, a device or sparse")
            content = file.extractfile(info)
            if content is not None:
                yield Member(info.name, info.size, lambda content=content: content)  # type: ignore[misc]
        _read_to_end(archive, file)


def _at_most(limit: int, members: Iterable[T], archive: Path) -> Iterator[T]:
    for number, member in enumerate(members, start=1):
        if number > limit:
            raise DatasetError(f"{archive} holds more than {limit:,} files. Not unpacked.")
        yield member


def _read_to_end(archive: Path, file: tarfile.TarFile) -> None:
    """Reach the end of the compressed stream, where its checksum is; tarfile stops before it."""
    left = MAX_BYTES
    while file.fileobj is not None and (block := file.fileobj.read(BLOCK_BYTES)):
        left -= len(block)
        if left < 0:
            raise DatasetError(f"{archive} is refused: it does not end after its last member.")


def _write(archive: Path, member: Member, folder: Path, left: int) -> int:
    """Write one member and return its size in bytes; refuse it once it passes `left`."""
    target = folder.joinpath(*_safe_parts(archive, member.name))
    if member.size > left:
        raise _refuse(archive, member.name, _TOO_MUCH)
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # "x" refuses a second member of the same name, also where the disk ignores case.
        with target.open("xb") as out, member.open() as content:
            while block := content.read(BLOCK_BYTES):
                written += len(block)
                if written > left:
                    raise _refuse(archive, member.name, _TOO_MUCH)
                out.write(block)
    except FileExistsError as exc:
        raise _refuse(archive, member.name, "is there twice") from exc
    except NotADirectoryError as exc:
        raise _refuse(archive, member.name, "lies below a file") from exc
    return written


def _safe_parts(archive: Path, name: str) -> tuple[str, ...]:
    """Return the parts of a member's path, which all lie below the folder it is written to."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or "\0" in name:
        raise _refuse(archive, name, "has no usable name")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise _refuse(archive, name, "would be written outside the data set's folder")
    return path.parts


def _refuse(archive: Path, name: str, why: str) -> DatasetError:
    return DatasetError(
        f"{archive} is refused: its member {name!a} {why}. Expected regular files only, each once, "
        "below one folder. Nothing was unpacked."
    )

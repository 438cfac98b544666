"""Read the rows of a manifest, and decode batches of them ahead of who wants them."""

from __future__ import annotations

import hashlib
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ImageDecodeError
from pipeline.images.codec import DecodedImage, examine_image
from pipeline.images.geometry import Geometry
from pipeline.records import ImageBatch, Manifest, OnProgress, Status

MAX_BYTES = 1 << 30
"""A larger file is not read: 100 megapixels of 16-bit RGBA are 0.8 GB before compression."""

_ROWS_A_JOB = 64

Made = TypeVar("Made")
ReadRow: TypeAlias = Callable[[int, Sequence[Geometry]], DecodedImage]
"""Decodes one row, by its number."""


def read_image(manifest: Manifest, row: int, geometries: Sequence[Geometry]) -> DecodedImage:
    """Read, check and decode one row of a manifest; see `examine_image`.

    Raises
    ------
    ImageDecodeError
        Also if the file cannot be read, or is not the one the manifest lists.
    """
    return examine_image(_read_bytes(manifest, row), geometries, name=manifest.paths[row])


def read_checked(path: Path, digest: bytes) -> bytes | None:
    """Return a file's bytes, None if it is gone or is not the one with this SHA-256.

    For what is looked at once the transfer values are there: nobody asks why an image is missing.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
    except (OSError, MemoryError, ValueError):  # ValueError: a name that no file can have
        return None
    return data if hashlib.sha256(data).digest() == digest else None


def read_each(
    root: Path,
    paths: Sequence[str],
    make: Callable[[bytes], Made],
    *,
    sha256: NDArray[np.uint8],
    n_workers: int,
    on_progress: OnProgress | None = None,
) -> Iterator[Made | None]:
    """Yield what is made of each file's bytes, in order, made in threads.

    Parameters
    ----------
    root : Path
    paths : sequence of str
        Relative to `root`.
    make : callable
        Raises ImageDecodeError where nothing can be made.
    sha256 : uint8 ndarray of shape (n_images, 32)
        Of the files as they were listed.
    n_workers : int
        Threads, at least 1.
    on_progress : callable, optional
        Takes (done, total), in images.

    Yields
    ------
    made or None
        None for a file that `read_checked` does not give, or of which nothing can be made.
    """

    def make_some(start: int) -> list[Made | None]:
        rows = range(start, min(start + _ROWS_A_JOB, len(paths)))
        return [_make_one(root / paths[row], sha256[row].tobytes(), make) for row in rows]

    with ThreadPoolExecutor(n_workers, thread_name_prefix="images") as pool:
        try:
            done = 0
            for some in pool.map(make_some, range(0, len(paths), _ROWS_A_JOB)):
                yield from some
                done += len(some)
                if on_progress is not None:
                    on_progress(done, len(paths))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _make_one(path: Path, digest: bytes, make: Callable[[bytes], Made]) -> Made | None:
    data = read_checked(path, digest)
    try:
        return None if data is None else make(data)
    except ImageDecodeError:
        return None


def read_batches(
    manifest: Manifest,
    batches: Iterable[NDArray[np.int64]],
    geometries: Sequence[Geometry],
    *,
    workers: int,
    ahead: int = 2,
) -> Iterator[ImageBatch]:
    """Decode batches of manifest rows in threads, a bounded number ahead of the consumer.

    Parameters
    ----------
    manifest : Manifest
    batches : iterable of int64 ndarray of shape (n_images,)
        Row numbers.
    geometries : sequence of Geometry
        At least one; see `ImageBatch.images`.
    workers : int
        Decoding threads; Pillow lets go of the interpreter lock while it decodes and resizes.
    ahead : int
        Batches being decoded beyond the one that is returned; bounds the memory.

    Yields
    ------
    ImageBatch
        In the order of `batches`.
    """
    read = partial(read_image, manifest)
    return decode_batches(read, batches, geometries, workers=workers, ahead=ahead)


def decode_batches(
    read: ReadRow,
    batches: Iterable[NDArray[np.int64]],
    geometries: Sequence[Geometry],
    *,
    workers: int,
    ahead: int = 2,
) -> Iterator[ImageBatch]:
    """Do as `read_batches` with rows of anything.

    Parameters
    ----------
    read : callable
        Takes the number of a row and the geometries; raises ImageDecodeError.
    batches, geometries, workers, ahead
        As of `read_batches`.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[ImageBatch, list[Future[None]]]] = deque()
        try:
            for rows in batches:
                batch = _make_batch(len(rows), geometries)
                jobs = enumerate(rows.tolist())
                futures = [
                    pool.submit(_fill_slot, batch, i, read, row, geometries) for i, row in jobs
                ]
                waiting.append((batch, futures))
                if len(waiting) > ahead:
                    yield _wait_for(*waiting.popleft())
            while waiting:
                yield _wait_for(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _make_batch(n_images: int, geometries: Sequence[Geometry]) -> ImageBatch:
    """Return a batch of zeros; equal geometries share an array."""
    made = {g: np.zeros((n_images, g.size, g.size, 3), np.uint8) for g in geometries}
    return ImageBatch(
        images=tuple(made[geometry] for geometry in geometries),
        status=np.zeros(n_images, np.uint8),
        oddities=np.zeros(n_images, np.uint16),
    )


def _fill_slot(
    batch: ImageBatch, i: int, read: ReadRow, row: int, geometries: Sequence[Geometry]
) -> None:
    """Put an image, or why there is none, where it belongs.

    An exception, whose traceback would keep half an image in memory, does not leave this thread.
    """
    try:
        decoded = read(row, geometries)
    except ImageDecodeError as exc:
        batch.status[i] = exc.reason
        return
    for images, pixels in zip(batch.images, decoded.pixels, strict=True):
        images[i] = pixels
    batch.oddities[i] = decoded.oddities


def _wait_for(batch: ImageBatch, futures: list[Future[None]]) -> ImageBatch:
    for future in futures:
        future.result()
    return batch


def _read_bytes(manifest: Manifest, row: int) -> bytes:
    """Return the bytes that a manifest lists; raise ImageDecodeError if they are others."""
    path = manifest.root / manifest.paths[row]
    was_read = manifest.sha256[row].any()
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device never ends
            raise ImageDecodeError("not a regular file", reason=Status.UNREADABLE)
        if found.st_size != manifest.size[row]:
            raise ImageDecodeError("the file changed after it was listed", reason=Status.CHANGED)
        if found.st_size > MAX_BYTES:
            message = f"{found.st_size:,} bytes; at most {MAX_BYTES:,} are read"
            raise ImageDecodeError(message, reason=Status.TOO_LARGE)
        data = path.read_bytes()
    except FileNotFoundError as exc:
        reason = Status.CHANGED if was_read else Status.UNREADABLE
        raise ImageDecodeError("the file is gone", reason=reason) from exc
    except (OSError, MemoryError, ValueError) as exc:  # ValueError: a name that no file can have
        raise ImageDecodeError(str(exc), reason=Status.UNREADABLE) from exc
    if not data:
        raise ImageDecodeError("the file has zero bytes", reason=Status.EMPTY)
    if hashlib.sha256(data).digest() != manifest.sha256[row].tobytes():
        raise ImageDecodeError("the file changed after it was listed", reason=Status.CHANGED)
    return data

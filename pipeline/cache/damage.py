"""The one place where what zarr, its codecs and the disk raise becomes an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import CacheCorruptError, CacheError, PipelineError

REDO_HINT = (
    "`pipeline cache verify --repair` mends it; the same extract command with --overwrite computes "
    "all of it anew."
)
# What to do where it is not known what was to be in the store.
ANEW_HINT = "The same extract command with --overwrite computes all of it anew."
# A part that is gone, or a folder where a file belongs, is damage: no other reader sees more.
_DAMAGE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@contextmanager
def translated(
    store: Path, part: str = "", *, file: Path | None = None, hint: str = REDO_HINT
) -> Iterator[None]:
    """Turn whatever reading a store raises into a CacheError that names the store.

    Parameters
    ----------
    store : Path
    part : str, optional
        Which array or block is read, for the message.
    file : Path, optional
        What is read, if the system does not name it in its error.
    hint : str, optional
        What to do about damage.

    Raises
    ------
    CacheCorruptError
        If what is there cannot be understood.
    CacheError
        If the system does not let it be read, which says nothing about what is there.
    """
    try:
        yield
    except (PipelineError, MemoryError):
        raise
    # Damaged bytes come out of zarr, numcodecs, json and NumPy as any of a dozen kinds.
    except Exception as exc:
        if isinstance(exc, OSError) and exc.errno and not isinstance(exc, _DAMAGE):
            place = f" ({part})" if part else ""
            raise CacheError(
                f"Cannot read {exc.filename or file or store}{place}: {exc.strerror} (errno "
                f"{exc.errno})."
                " Its content may be whole: make it readable, mend the disk or give another "
                "--cache-dir, then run this again."
            ) from exc
        where = f"{store}: {part}" if part else str(store)
        raise CacheCorruptError(
            f"{where} cannot be read: {type(exc).__name__}: {str(exc).rstrip('.')}. {hint}"
        ) from exc

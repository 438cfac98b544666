"""Fetch one file over HTTP; whether it is the right file is the caller's to check."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ProgressCallback = Callable[[int, int | None], None]

_TIMEOUT_S = 30.0
_CHUNK = 1 << 20


def download_file(url: str, target: Path, *, on_progress: ProgressCallback | None = None) -> None:
    """Write what a URL gives to a file and bring it to the disk.

    Parameters
    ----------
    url : str
        `http://` or `https://`.
    target : Path
        Overwritten; a failed download leaves a part of the file there.
    on_progress : callable or None
        Called with the bytes received and the bytes expected (None if the server does not tell).

    Raises
    ------
    OSError
        When the server cannot be reached, refuses, or ends early (`urllib.error.URLError` is an
        OSError).
    ValueError
        When the URL is of another kind.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} is not an http(s) address")
    request = urllib.request.Request(url, headers={"User-Agent": "transfer-values"})  # noqa: S310
    received = 0
    try:
        with (
            urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response,  # noqa: S310
            target.open("wb") as out,
        ):
            length = response.headers.get("Content-Length")
            expected = int(length) if length is not None else None
            while chunk := response.read(_CHUNK):
                out.write(chunk)
                received += len(chunk)
                if on_progress is not None:
                    on_progress(received, expected)
            out.flush()
            os.fsync(out.fileno())
    except urllib.error.HTTPError as exc:
        exc.close()
        raise OSError(f"the server answered {exc.code} {exc.reason}") from exc
    except http.client.HTTPException as exc:
        raise OSError(f"the connection broke after {received} bytes: {exc}") from exc
    if expected is not None and received != expected:
        raise OSError(f"the connection ended after {received} of {expected} bytes")

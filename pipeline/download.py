"""Download one file: resumed where it broke off, verified before it gets its name."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.durable import sync
from pipeline.errors import DownloadError, PipelineError
from pipeline.records import OnProgress

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4  # in a row without a single new byte
FIRST_PAUSE_SECONDS = 0.5  # doubled after each failure
BLOCK_BYTES = 1 << 18
USER_AGENT = "transfer-values (+urllib)"

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Interrupted(Exception):  # noqa: N818 - never leaves this module
    """The transfer broke off in a way that another attempt may mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    url: str
    target: Path
    size: int | None
    digest: str | None
    algorithm: str
    check: Callable[[Path], None] | None
    advice: str
    timeout: float
    on_progress: OnProgress | None

    @property
    def partial(self) -> Path:
        return self.target.with_name(self.target.name + ".partial")

    @property
    def received(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def error(self, why: str) -> DownloadError:
        size = "" if self.size is None else f" ({self.size:,} bytes)"
        advice = self.advice or f"Put the file by hand at {self.target}."
        return DownloadError(f"Cannot download {self.url}{size}: {why}\n{advice}")


def download(
    url: str,
    target: Path,
    *,
    size: int | None,
    digest: str | None,
    algorithm: str = "sha256",
    check: Callable[[Path], None] | None = None,
    on_progress: OnProgress | None = None,
    advice: str = "",
    timeout: float = TIMEOUT_SECONDS,
    attempts: int = ATTEMPTS,
    pause: float = FIRST_PAUSE_SECONDS,
) -> str:
    """Download a file unless it is there, and return its hash in hexadecimal.

    What has arrived is kept in `<target>.partial`; the next attempt, or the next run, asks only
    for the rest.

    Parameters
    ----------
    url : str
        http or https.
    target : Path
        Gets its name only when every byte is there and verified.
    size : int or None
        Expected bytes.
    digest : str or None
        Expected hash in hexadecimal; None trusts what arrives.
    algorithm : str
        Of the hash: "sha256", or "md5" where that is all that was published.
    check : callable, optional
        Called with the whole file before it gets its name; what it raises is raised, and the file
        is removed.
    on_progress : callable, optional
        Called with the bytes received and the bytes expected (0 if unknown).
    advice : str
        What to do when it fails, for the end of the message.
    timeout : float
        Seconds without a byte before an attempt is given up.
    attempts : int
        Failures in a row, without a new byte, before the download is given up.
    pause : float
        Seconds before the second attempt; doubled each time.

    Raises
    ------
    DownloadError
        If the file cannot be had, or is not the one that was promised.
    """
    job = _Job(
        url=url,
        target=target,
        size=size,
        digest=digest,
        algorithm=algorithm,
        check=check,
        advice=advice,
        timeout=timeout,
        on_progress=on_progress,
    )
    if not url.startswith(("http://", "https://")):
        raise job.error("expected an address that begins with http:// or https://.")
    try:
        return _download(job, attempts, pause)
    except OSError as exc:
        raise job.error(f"{target.parent} cannot be written: {exc.strerror or exc}.") from exc


def _download(job: _Job, attempts: int, pause: float) -> str:
    if job.target.exists():
        found = _hash(job, job.target)
        if job.digest in (None, found):
            return found
        raise job.error(
            f"{job.target} is in the way: its {job.algorithm} is {found}, not {job.digest}."
        )
    job.target.parent.mkdir(parents=True, exist_ok=True)
    _check_space(job)
    resumed = job.received > 0
    _receive(job, attempts, pause)
    found = _hash(job, job.partial)
    if resumed and job.digest not in (None, found):
        # What an earlier run left may be from another version of the file: once more, from zero.
        job.partial.unlink()
        _receive(job, attempts, pause)
        found = _hash(job, job.partial)
    try:
        if job.digest not in (None, found):
            raise job.error(
                f"the file that arrived is another one: expected {job.algorithm} {job.digest}, "
                f"got {found}. It was removed."
            )
        if job.check is not None:
            job.check(job.partial)
    except PipelineError:
        job.partial.unlink()
        raise
    _put_in_place(job)
    return found


def _hash(job: _Job, path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, job.algorithm).hexdigest()


def _check_space(job: _Job) -> None:
    needed = (job.size or 0) - job.received
    free = shutil.disk_usage(job.target.parent).free
    if needed > free:
        raise job.error(
            f"{needed:,} bytes are needed in {job.target.parent}, {free:,} are free. Make room, "
            "or give another folder: --data-dir."
        )


def _receive(job: _Job, attempts: int, pause: float) -> None:
    """Fill the partial file, beginning again where it broke off."""
    failures = 0
    while True:
        before = job.received
        try:
            _receive_once(job)
        except _Interrupted as exc:
            failures = 0 if job.received > before else failures + 1
            if failures >= attempts:
                raise job.error(f"{exc}, {attempts} times in a row.") from exc
            time.sleep(pause * 2 ** max(failures - 1, 0))
        else:
            return


def _receive_once(job: _Job) -> None:
    if job.size is not None and job.received > job.size:
        job.partial.unlink()
    start = job.received
    if job.size is not None and start == job.size:
        return
    try:
        with contextlib.closing(_open(job, start)) as response:
            start = _check_response(job, response, start)
            expected = _copy(job, response, start)
    except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as exc:
        raise _Interrupted(f"the connection broke off ({exc or type(exc).__name__})") from exc
    if expected is not None and job.received < expected:
        raise _Interrupted(f"it broke off after {job.received:,} of {expected:,} bytes")


def _open(job: _Job, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(job.url, headers=headers)  # noqa: S310 - checked: http(s) only
    try:
        response: http.client.HTTPResponse = _build_opener().open(request, timeout=job.timeout)
    except urllib.error.HTTPError as exc:
        with exc:
            status, reason = exc.code, exc.reason
        if status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            job.partial.unlink()  # longer than the file is: it cannot be this file's beginning
            raise _Interrupted("what an earlier run left does not fit the file") from None
        if status in _TRY_AGAIN:
            raise _Interrupted(f"the server answered {status} {reason}") from None
        raise job.error(f"the server answered {status} {reason}.") from None
    except urllib.error.URLError as exc:
        if isinstance(exc.reason, (socket.gaierror, ssl.SSLCertVerificationError)):
            raise job.error(f"{exc.reason}. Is this machine online?") from exc
        raise _Interrupted(f"no connection ({exc.reason})") from exc
    return response


def _build_opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only: a redirect must not reach ftp: or file:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _check_response(job: _Job, response: http.client.HTTPResponse, start: int) -> int:
    """Return where the response's first byte belongs; refuse a web page or another file."""
    if response.headers.get_content_type() == "text/html":
        raise job.error("a web page came instead of the file, perhaps from a proxy or a login.")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        start = 0  # the server does not know Range and sends everything again
    elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        job.partial.unlink()
        raise _Interrupted("the server sent another part than the one asked for")
    length = response.length
    if job.size is not None and length is not None and start + length != job.size:
        raise job.error(f"the file there has {start + length:,} bytes: it is another one.")
    return start


def _copy(job: _Job, response: http.client.HTTPResponse, start: int) -> int | None:
    """Append the response to the partial file; return how long the file should be, if known."""
    expected = start + response.length if response.length is not None else job.size
    with job.partial.open("r+b" if start else "wb") as file:
        file.seek(start)
        received = start
        while block := response.read(BLOCK_BYTES):
            if not received and block.lstrip()[:14].lower().startswith(
                (b"<!doctype html", b"<html")
            ):
                raise job.error("a web page came instead of the file, perhaps from a login.")
            received += len(block)
            if job.size is not None and received > job.size:
                raise job.error(f"more than {job.size:,} bytes came: it is another file.")
            file.write(block)
            if job.on_progress is not None:
                job.on_progress(received, expected or 0)
    return expected


def _put_in_place(job: _Job) -> None:
    with job.partial.open("rb") as file:
        os.fsync(file.fileno())
    job.partial.replace(job.target)
    sync(job.target.parent)

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.download import download
from pipeline.errors import DownloadError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does wrong, and what it was asked."""

    cut_after: list[int] = field(default_factory=list)  # bytes to send, one for each request
    status: list[int] = field(default_factory=list)  # answers before it works
    knows_range: bool = True
    content: bytes = CONTENT
    content_type: str = "application/octet-stream"
    shifted_range: bool = False
    redirect: str = ""
    ranges: list[str | None] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    behaviour: Behaviour

    def handle_error(self, request, client_address):
        """Say nothing: clients that hang up are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        behaviour = self.server.behaviour
        behaviour.ranges.append(self.headers["Range"])
        if behaviour.redirect:
            self.send_response(302)
            self.send_header("Location", behaviour.redirect)
            self.end_headers()
            return
        if behaviour.status:
            self.send_error(behaviour.status.pop(0))
            return
        start = 0
        if self.headers["Range"] and behaviour.knows_range:
            start = int(re.findall(r"bytes=(\d+)-$", self.headers["Range"])[0])
            if start >= len(behaviour.content):
                self.send_error(416)
                return
            start -= behaviour.shifted_range
            self.send_response(206)
            last = len(behaviour.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        else:
            self.send_response(200)
        body = behaviour.content[start:]
        self.send_header("Content-Type", behaviour.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = behaviour.cut_after.pop(0) if behaviour.cut_after else len(body)
        self.wfile.write(body[:cut])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.behaviour = Behaviour()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "set.zip"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def get(server: Server, target: Path, **options) -> str:
    settings = {"size": len(CONTENT), "digest": SHA256, "attempts": 3, "pause": 0.0, "timeout": 5}
    url = f"http://127.0.0.1:{server.server_address[1]}/set.zip"
    return download(url, target, **{**settings, **options})


def partial_of(target: Path) -> Path:
    return target.with_name("set.zip.partial")


def test_a_file_arrives_whole_and_verified(server, target):
    calls: list[tuple[int, int]] = []
    assert get(server, target, on_progress=lambda *now: calls.append(now)) == SHA256
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["set.zip"]
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert calls == sorted(calls)


def test_a_file_that_is_there_is_not_asked_for_again(server, target):
    get(server, target)
    assert get(server, target) == SHA256
    assert server.behaviour.ranges == [None]


def test_fault_42_a_cut_transfer_goes_on_where_it_broke_off(server, target):
    server.behaviour.cut_after = [300_000, 400_000]
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.behaviour.ranges == [None, "bytes=300000-", "bytes=700000-"]


def test_fault_42_the_next_run_goes_on_where_a_kill_left_off(server, target):
    target.parent.mkdir()
    partial_of(target).write_bytes(CONTENT[:1234])
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.behaviour.ranges == ["bytes=1234-"]


def test_a_complete_partial_file_needs_no_server(server, target):
    target.parent.mkdir()
    partial_of(target).write_bytes(CONTENT)
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.behaviour.ranges == []


def test_a_server_without_range_starts_again(server, target):
    server.behaviour.knows_range = False
    server.behaviour.cut_after = [300_000]
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.behaviour.ranges == [None, "bytes=300000-"]


def test_a_server_that_sends_another_part_is_not_believed(server, target):
    server.behaviour.shifted_range = True
    server.behaviour.cut_after = [300_000]
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.behaviour.ranges == [None, "bytes=300000-", None]


def test_leftovers_of_another_file_are_thrown_away(server, target):
    target.parent.mkdir()
    partial_of(target).write_bytes(b"another file" * 1000)
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.behaviour.ranges == ["bytes=12000-", None]


def test_leftovers_longer_than_the_file_are_thrown_away(server, target):
    target.parent.mkdir()
    partial_of(target).write_bytes(CONTENT + b"more")
    get(server, target, size=None)
    assert target.read_bytes() == CONTENT
    assert server.behaviour.ranges == [f"bytes={len(CONTENT) + 4}-", None]


def test_fault_42_a_transfer_that_never_moves_is_given_up_and_kept(server, target):
    server.behaviour.cut_after = [300_000, *[0] * 10]
    with pytest.raises(DownloadError, match=r"after 300,000 of 1,024,000 bytes, 3 times in a row"):
        get(server, target)
    assert partial_of(target).stat().st_size == 300_000
    assert not target.exists()


def test_fault_42_a_wrong_hash_is_removed_and_both_are_shown(server, target):
    server.behaviour.content = CONTENT[:-1] + b"x"
    got = hashlib.sha256(server.behaviour.content).hexdigest()
    with pytest.raises(DownloadError, match=f"expected sha256 {SHA256}, got {got}"):
        get(server, target)
    assert list(target.parent.iterdir()) == []


def test_fault_42_a_wrong_length_is_noticed_before_the_transfer(server, target):
    server.behaviour.content = CONTENT + b"more"
    with pytest.raises(DownloadError, match="the file there has 1,024,004 bytes"):
        get(server, target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content_type", "content"),
    [("text/html; charset=utf-8", b"hello"), ("application/zip", b"\n<!DOCTYPE html><html>")],
)
def test_fault_42_a_web_page_is_not_an_archive(server, target, content_type, content):
    server.behaviour.content_type = content_type
    server.behaviour.content = content
    with pytest.raises(DownloadError, match="a web page came instead of the file"):
        get(server, target, size=None, digest=None)
    assert not target.exists()


def test_a_missing_file_is_said_at_once(server, target):
    server.behaviour.status = [404, 404]
    with pytest.raises(DownloadError, match=r"the server answered 404 Not Found\.\nDo this\."):
        get(server, target, advice="Do this.")
    assert len(server.behaviour.ranges) == 1


def test_a_busy_server_is_asked_again(server, target):
    server.behaviour.status = [503, 429]
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_without_a_known_hash_the_one_seen_is_returned(server, target):
    assert get(server, target, size=None, digest=None) == SHA256


def test_another_file_in_the_way_is_not_overwritten(server, target):
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"set\.zip is in the way: its sha256 is"):
        get(server, target)
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "/etc/passwd"])
def test_only_the_web_is_read(target, url):
    with pytest.raises(DownloadError, match="expected an address that begins with http"):
        download(url, target, size=None, digest=None)


def test_a_redirect_does_not_leave_the_web(server, target, tmp_path):
    (tmp_path / "secret").write_text("secret")
    server.behaviour.redirect = f"file://{tmp_path}/secret"
    with pytest.raises(DownloadError, match="the server answered 302"):
        get(server, target, size=None, digest=None)
    assert not target.exists()


def test_fault_42_no_connection_names_address_size_and_place(target):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/set.zip"
        message = rf"{url} \(9 bytes\): no connection .*\nPut the file by hand at {target}"
        with pytest.raises(DownloadError, match=message):
            download(url, target, size=9, digest=SHA256, attempts=2, pause=0)


def test_fault_42_a_name_that_does_not_resolve_is_not_tried_again(target, monkeypatch):
    calls = []

    def resolve(*args: object, **options: object) -> None:
        calls.append(args)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(DownloadError, match=r"Name or service not known. Is this machine online"):
        download("http://data.invalid/set.zip", target, size=9, digest=SHA256)
    assert len(calls) == 1


def test_a_full_disk_is_said_before_the_transfer(server, target):
    with pytest.raises(DownloadError, match=r"bytes are needed in .*downloads, .* are free"):
        get(server, target, size=10**18)
    assert server.behaviour.ranges == []


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="cannot be written: "):
        get(server, tmp_path / "file" / "set.zip")

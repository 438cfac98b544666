import dataclasses
import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator

import h5py
import numpy as np
import pytest

from pipeline.backbones import weights as weights_module
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import fetch_weights, keras_models_dir, resolve_weights
from pipeline.download import download
from pipeline.errors import BackboneError, WeightsNotFoundError

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@pytest.fixture(scope="module")
def hdf5(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("hdf5") / "file.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.arange(1000.0)
    return path.read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content`, and leaves out what `server.cut` says."""

    def do_GET(self):
        self.server.n_requests += 1
        if self.server.content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: len(self.server.content) - self.server.cut])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[http.server.ThreadingHTTPServer]:
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.cut, server.n_requests = None, 0, 0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def make_spec(server, content: bytes | None):
    """VGG16, as if Keras published `content` at the server."""
    digest = hashlib.md5(content).hexdigest() if content is not None else None
    url = f"http://127.0.0.1:{server.server_port}/vgg16.h5"
    spec = get_spec("vgg16")
    published = dataclasses.replace(spec.pretrained, name="vgg16.h5", url=url, digest=digest)
    return dataclasses.replace(spec, pretrained=published)


def test_the_embedded_weights_are_found_and_verified():
    found = resolve_weights(get_spec("efficientnet-lite0"), "imagenet")
    assert found.kind == "imagenet"
    assert found.sha256 == LITE0_SHA256
    assert hashlib.sha256(found.path.read_bytes()).hexdigest() == LITE0_SHA256


def test_random_weights_need_no_file():
    found = resolve_weights(get_spec("vgg16"), "random")
    assert (found.kind, found.path, found.sha256) == ("random", None, "random:seed=0")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(weights_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsNotFoundError, match=r"pip install 'transfer-values\[lite\]'"):
        resolve_weights(get_spec("efficientnet-lite1"), "imagenet")


def test_the_folder_is_kerass(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_models_dir() == tmp_path / "models"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert keras_models_dir() == tmp_path / "home" / ".keras" / "models"


def test_missing_weights_say_what_to_do(tmp_path):
    with pytest.raises(WeightsNotFoundError) as caught:
        resolve_weights(get_spec("resnet50"), "imagenet", models_dir=tmp_path)
    message = str(caught.value)
    pretrained = get_spec("resnet50").pretrained
    for words in (
        pretrained.url,
        str(tmp_path / pretrained.name),
        "about 94 MB",
        "--model efficientnet-lite0",
        "--weights random",
    ):
        assert words in message


def test_a_file_in_kerass_folder_is_verified_and_used(server, hdf5, tmp_path):
    spec = make_spec(server, hdf5)
    path = tmp_path / "vgg16.h5"
    path.write_bytes(hdf5)
    found = fetch_weights(spec, "imagenet", models_dir=tmp_path)
    assert (found.kind, found.path) == ("imagenet", path)
    assert found.sha256 == hashlib.sha256(hdf5).hexdigest()
    assert server.n_requests == 0


def test_a_flipped_byte_is_refused(server, hdf5, tmp_path):
    flipped = bytearray(hdf5)
    flipped[-1] ^= 1
    path = tmp_path / "vgg16.h5"
    path.write_bytes(flipped)
    with pytest.raises(BackboneError, match=r"not the published file: its md5 is .* expected"):
        resolve_weights(make_spec(server, hdf5), "imagenet", models_dir=tmp_path)


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_a_cut_off_file_is_refused_even_without_a_hash(server, tmp_path, libver):
    path = tmp_path / "vgg16.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["kernel"] = np.arange(1000.0)
    spec = make_spec(server, None)
    whole = path.read_bytes()
    assert resolve_weights(spec, "imagenet", models_dir=tmp_path).path == path
    for kept in (len(whole) - 1, len(whole) // 2, 60, 9):
        path.write_bytes(whole[:kept])
        with pytest.raises(BackboneError, match=f"is cut off: it has {kept} bytes"):
            resolve_weights(spec, "imagenet", models_dir=tmp_path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>log in</html>"])
def test_what_is_not_hdf5_is_refused(server, tmp_path, content):
    (tmp_path / "vgg16.h5").write_bytes(content)
    with pytest.raises(BackboneError, match="is not an HDF5 file"):
        resolve_weights(make_spec(server, None), "imagenet", models_dir=tmp_path)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """The pauses between attempts are tested with `download` itself."""
    monkeypatch.setattr(weights_module, "download", functools.partial(download, pause=0.0))


def test_a_download_is_verified_and_moved_into_place(server, hdf5, tmp_path):
    server.content = hdf5
    seen = []
    models_dir = tmp_path / "new" / "models"
    found = fetch_weights(
        make_spec(server, hdf5),
        "imagenet",
        models_dir=models_dir,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert found.path.read_bytes() == hdf5
    assert sorted(p.name for p in models_dir.iterdir()) == [".vgg16.h5.lock", "vgg16.h5"]
    assert seen[-1] == (len(hdf5), len(hdf5))
    fetch_weights(make_spec(server, hdf5), "imagenet", models_dir=models_dir)
    assert server.n_requests == 1


def test_a_bad_download_leaves_nothing_behind(server, hdf5, tmp_path):
    page = b"<html>please log in</html>"
    for content, cut, published, message in [
        (hdf5, 100, hdf5, "broke off"),
        (hdf5[:-100], 0, None, "is cut off"),
        (page, 0, None, "a web page came instead"),
        (hdf5, 0, hdf5 + b"other", "the file that arrived is another one"),
        (None, 0, hdf5, "404"),
    ]:
        server.content, server.cut = content, cut
        with pytest.raises(WeightsNotFoundError, match=message) as caught:
            fetch_weights(make_spec(server, published), "imagenet", models_dir=tmp_path)
        assert "--model efficientnet-lite0" in str(caught.value)
        assert not (tmp_path / "vgg16.h5").exists()


def test_offline_names_the_address_and_the_folder(server, hdf5, tmp_path):
    spec = make_spec(server, hdf5)
    server.shutdown()
    server.server_close()
    with pytest.raises(WeightsNotFoundError, match="refused") as caught:
        fetch_weights(spec, "imagenet", models_dir=tmp_path)
    assert spec.pretrained.url in str(caught.value)
    assert str(tmp_path / "vgg16.h5") in str(caught.value)


def test_fault_57_a_folder_that_cannot_be_written_gets_no_substitute(server, hdf5, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsNotFoundError, match="Set KERAS_HOME to a folder of your own"):
        fetch_weights(make_spec(server, hdf5), "imagenet", models_dir=tmp_path / "file")
    assert server.n_requests == 0


def test_other_addresses_are_refused(tmp_path, server, hdf5):
    spec = make_spec(server, hdf5)
    local = dataclasses.replace(spec.pretrained, url="file:///etc/hostname")
    spec = dataclasses.replace(spec, pretrained=local)
    with pytest.raises(WeightsNotFoundError, match="begins with http"):
        fetch_weights(spec, "imagenet", models_dir=tmp_path)


def test_a_users_file_is_hashed(hdf5, tmp_path):
    path = tmp_path / "mine.weights.h5"
    path.write_bytes(hdf5)
    found = resolve_weights(get_spec("vgg16"), str(path))
    assert (found.kind, found.path) == ("file", path)
    assert found.sha256 == hashlib.sha256(hdf5).hexdigest()


def test_fault_56_whole_models_are_never_loaded(tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "model.keras").write_bytes(b"PK")
    for name in ("saved_model", "model.keras"):
        with pytest.raises(BackboneError, match="may contain code and is never loaded"):
            resolve_weights(get_spec("vgg16"), str(tmp_path / name))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"x")
    (tmp_path / "x.h5").write_bytes(b"x")
    with pytest.raises(BackboneError, match=r"ending '\.pth'; vgg16 takes \.h5\."):
        resolve_weights(get_spec("vgg16"), str(tmp_path / "x.pth"))
    with pytest.raises(BackboneError, match="not an HDF5 file"):
        resolve_weights(get_spec("vgg16"), str(tmp_path / "x.h5"))
    with pytest.raises(WeightsNotFoundError, match="Expected: imagenet, random, or the path"):
        resolve_weights(get_spec("vgg16"), "imagnet")

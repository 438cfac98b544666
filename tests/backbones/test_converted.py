"""Networks that are kept converted: found again without Keras, or made anew."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pipeline.backbones import conversion, converted, engines, openvino_engine
from pipeline.backbones.converted import converted_path, find_converted
from pipeline.backbones.engines import open_engine
from pipeline.backbones.network import Network
from pipeline.backbones.openvino_engine import open_kept
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import BackboneError

SPEC = get_spec("mobilenet_v3_small")
RUN_WITHOUT_KERAS = """
import sys
import numpy as np
from pathlib import Path
from pipeline.backbones.network import Network
from pipeline.backbones.openvino_engine import open_kept
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
spec = get_spec("mobilenet_v3_small")
network = Network.of(spec, resolve_weights(spec, "random"), image_size=32)
engine = open_kept(network, Path(sys.argv[1]), batch_size=2, precision="float32")
np.save(sys.argv[2], engine.infer((np.full((1, 32, 32, 3), 99, np.uint8),)))
print(sorted({"keras", "tensorflow", "jax", "torch"} & set(sys.modules)))
"""


def network_of(size=32, **options):
    return Network.of(SPEC, resolve_weights(SPEC, "random"), image_size=size, **options)


def open_it(cache_dir, network=None):
    return open_engine(
        network or network_of(), batch_size=2, device="cpu", engine="openvino", cache_dir=cache_dir
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cache with one network in it."""
    cache_dir = tmp_path_factory.mktemp("made") / "cache"
    open_it(cache_dir)
    return cache_dir


@pytest.fixture
def cache_dir(made, tmp_path):
    return shutil.copytree(made, tmp_path / "cache")


@pytest.fixture
def conversions(monkeypatch):
    """Which networks are converted during a test."""
    names = []

    def convert(network, folder):
        names.append(network.name)
        return real(network, folder)

    real = engines.convert
    monkeypatch.setattr(engines, "convert", convert)
    return names


def test_a_kept_network_needs_neither_conversion_nor_keras(cache_dir, tmp_path, conversions):
    image = (np.full((1, 32, 32, 3), 99, np.uint8),)
    expected = open_it(None).infer(image)
    assert conversions == [network_of().name]
    np.testing.assert_array_equal(open_it(cache_dir).infer(image), expected)
    assert conversions == [network_of().name]
    output = tmp_path / "values.npy"
    run = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT_KERAS, cache_dir, output],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
    np.testing.assert_array_equal(np.load(output), expected)


def test_nothing_is_left_beside_it(cache_dir):
    folder = converted_path(cache_dir, network_of())
    assert [path.name for path in (cache_dir / "networks").iterdir()] == [folder.name]
    assert sorted(path.name for path in folder.iterdir()) == [
        "network.bin",
        "network.json",
        "network.xml",
    ]


@pytest.mark.parametrize(
    "other",
    [
        network_of(48),
        network_of(pooling="max"),
        Network(parts=network_of().parts, mirrored=True),
        Network(parts=network_of().parts, mirrored=True, views=2),
        network_of(layers=("activation_17",)),
    ],
    ids=str,
)
def test_another_network_is_another_file(cache_dir, other):
    assert find_converted(cache_dir, network_of()) is not None
    assert find_converted(cache_dir, other) is None


def damage(path, how):
    if how == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-2])
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
@pytest.mark.parametrize("name", ["network.xml", "network.bin", "network.json"])
def test_a_damaged_network_is_converted_anew(cache_dir, conversions, name, how):
    image = (np.full((1, 32, 32, 3), 99, np.uint8),)
    expected = open_it(cache_dir).infer(image)
    folder = converted_path(cache_dir, network_of())
    damage(folder / name, how)
    if (name, how) != ("network.json", "flipped"):  # may hit what nobody reads
        assert find_converted(cache_dir, network_of()) is None
    np.testing.assert_array_equal(open_it(cache_dir).infer(image), expected)
    assert find_converted(cache_dir, network_of()) is not None
    assert len(conversions) <= 1


@pytest.mark.parametrize("library", ["transfer-values", "keras", "openvino"])
def test_a_network_of_other_libraries_is_converted_anew(cache_dir, library):
    path = converted_path(cache_dir, network_of()) / "network.json"
    about = json.loads(path.read_text())
    about["versions"][library] = "0.1"
    path.write_text(json.dumps(about))
    assert find_converted(cache_dir, network_of()) is None
    open_it(cache_dir)
    assert json.loads(path.read_text())["versions"][library] != "0.1"


def test_where_keras_is_not_installed_its_version_is_the_one_that_converted(cache_dir, monkeypatch):
    path = converted_path(cache_dir, network_of()) / "network.json"
    about = json.loads(path.read_text())
    about["versions"]["keras"] = "3.99"
    path.write_text(json.dumps(about))
    real = converted.find_version
    monkeypatch.setattr(
        converted, "find_version", lambda name: None if name == "keras" else real(name)
    )
    kept = open_kept(network_of(), cache_dir, batch_size=2, precision="float32")
    assert kept.versions["keras"] == "3.99"


def test_a_cache_that_cannot_be_written_keeps_nothing_and_works(tmp_path, noise):
    (tmp_path / "cache").write_text("a file where the folder should be")
    engine = open_it(tmp_path / "cache", network_of(64))
    assert engine.infer((noise[:1],)).shape == (1, 576)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_a_disk_that_is_full_keeps_nothing_and_works(tmp_path, noise, monkeypatch):
    def fail(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(converted, "write_file", fail)
    engine = open_it(tmp_path, network_of(64))
    assert engine.infer((noise[:1],)).shape == (1, 576)
    assert list((tmp_path / "networks").iterdir()) == []


@pytest.mark.parametrize("everywhere", [False, True])
def test_where_the_cache_has_no_room_for_a_network_the_temporary_files_have(
    tmp_path, noise, monkeypatch, everywhere
):
    real = engines.convert

    def convert(network, folder):
        if everywhere or tmp_path in folder.parents:
            raise OSError(28, "No space left on device")
        return real(network, folder)

    monkeypatch.setattr(engines, "convert", convert)
    if everywhere:
        with pytest.raises(BackboneError, match=r"No space left on device.*TMPDIR"):
            open_it(tmp_path, network_of(64))
    else:
        assert open_it(tmp_path, network_of(64)).infer((noise[:1],)).shape == (1, 576)
    assert list((tmp_path / "networks").iterdir()) == []


def test_that_the_disk_is_full_is_what_openvino_means(tmp_path, monkeypatch):
    def export(self, path, **options):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(conversion.keras.Model, "export", export)
    with pytest.raises(OSError, match=r"network\.xml cannot be written \(basic_ios::clear"):
        conversion.convert(network_of(), tmp_path)


def test_a_network_that_is_replaced_while_it_is_read_is_not_used(cache_dir, monkeypatch):
    path = converted_path(cache_dir, network_of()) / "network.json"

    class Slow(openvino_engine.OpenVINOEngine):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            about = json.loads(path.read_text())
            about["sha256"]["network.bin"] = "0" * 64
            path.write_text(json.dumps(about))

    opened = {"batch_size": 2, "precision": "float32"}
    assert open_kept(network_of(), cache_dir, **opened) is not None
    monkeypatch.setattr(openvino_engine, "OpenVINOEngine", Slow)
    assert open_kept(network_of(), cache_dir, **opened) is None


def test_what_a_killed_run_left_is_found_but_not_behind_a_link(cache_dir, tmp_path):
    networks = cache_dir / "networks"
    left = networks / ".x@1-00000000.openvino.00000000.partial"
    left.mkdir()
    assert converted.list_partial(cache_dir) == [left]
    networks.rename(tmp_path / "elsewhere")
    networks.symlink_to(tmp_path / "elsewhere")
    assert converted.list_partial(cache_dir) == []

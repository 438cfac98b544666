import functools
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from pipeline.backbones import formats
from pipeline.backbones.network import Network
from pipeline.backbones.whole_model import build_whole_model
from pipeline.errors import BackboneError, PipelineError
from pipeline.images import PAD_COLOUR, resizes_tall_first
from tests.backbones.test_pillow_resize import noise
from tests.backbones.test_whole_model import linear, part_of, recipe_of

NAMES = ["cat", 'dog "x"', "newline\nand \udcff"]
ABOUT = {"version": "1.2", "class_names": NAMES, "recipe": {"pooling": "avg"}}
SUFFIXES = {"keras": ".keras", "onnx": ".onnx", "openvino": ".xml", "tflite": ".tflite"}


@pytest.fixture(scope="module")
def whole():
    part = part_of(32)
    return build_whole_model(
        Network(parts=(part,)),
        [recipe_of(part, "pad")],
        linear(32),
        margin=PAD_COLOUR,
        tall_first=resizes_tall_first(),
    )


@pytest.fixture(scope="module")
def write(whole, tmp_path_factory):
    """Write the model in a format, once."""

    @functools.cache
    def write_once(name):
        path = tmp_path_factory.mktemp(name) / f"model{SUFFIXES[name]}"
        formats.write_model(whole, path, name, ABOUT)
        return path

    return write_once


@pytest.mark.parametrize(
    "name", ["keras", "onnx", pytest.param("openvino", marks=pytest.mark.slow), "tflite"]
)
def test_a_file_answers_as_the_model_does_and_says_what_it_is(name, whole, write):
    images = [noise((40, 55)), noise((90, 31)), noise((32, 32))]
    expected = [whole(image[None]).numpy() for image in images]
    path = write(name)
    run = formats.open_model(path, name)
    for image, wanted in zip(images, expected, strict=True):
        np.testing.assert_allclose(run(image[None]), wanted, atol=1e-3)
    batch = np.stack([images[0], images[0][:, ::-1]])
    np.testing.assert_allclose(run(batch)[0], expected[0][0], atol=1e-3)
    assert formats.read_about(path, name) == ABOUT
    files = sorted(file.name for file in path.parent.iterdir())
    assert files == sorted({path.name, "model.bin"} if name == "openvino" else {path.name})


def test_onnx_calls_things_by_their_names(write):
    session = onnxruntime.InferenceSession(str(write("onnx")))
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type) == ("images", "tensor(uint8)")
    assert given.shape == ["batch", "height", "width", 3]
    assert answer.name == "probabilities"
    props = session.get_modelmeta().custom_metadata_map
    assert json.loads(props["class_names"]) == NAMES


def test_tflite_carries_a_list_of_labels_a_line_each(write):
    with zipfile.ZipFile(write("tflite")) as archive:
        labels = archive.read("labels.txt").decode("utf-8").splitlines()
    assert labels == ["cat", 'dog "x"', "newline\\nand \\udcff"]


def test_a_library_that_is_missing_is_named(monkeypatch):
    def refuse(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(formats, "import_module", refuse)
    formats.check_available("keras")
    with pytest.raises(PipelineError, match=r"needs onnx, .*'transfer-values\[export\]'"):
        formats.check_available("onnx")


def test_what_a_converter_raises_is_translated(whole, tmp_path, monkeypatch):
    def fail(model, path, about):
        raise NotImplementedError("no such operation\nwith a long story")

    monkeypatch.setitem(formats.FORMATS, "onnx", replace(formats.FORMATS["onnx"], write=fail))
    with pytest.raises(BackboneError, match="NotImplementedError: no such operation\\. Take"):
        formats.write_model(whole, tmp_path / "model.onnx", "onnx", ABOUT)


@pytest.mark.parametrize(
    ("free", "words", "error"),
    [
        (0, "basic_ios::clear: iostream error", OSError),
        (1e9, "No space left on device; m.tflite", OSError),
        (1e9, "no such operation in this namespace", BackboneError),
    ],
)
def test_a_full_disk_is_told_from_a_fault_of_a_converter(
    whole, tmp_path, monkeypatch, free, words, error
):
    def fail(model, path, about):
        raise RuntimeError(words)

    monkeypatch.setitem(formats.FORMATS, "onnx", replace(formats.FORMATS["onnx"], write=fail))
    monkeypatch.setattr(formats.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(error, match="No space left" if error is OSError else "Take another"):
        formats.write_model(whole, tmp_path / "model.onnx", "onnx", ABOUT)

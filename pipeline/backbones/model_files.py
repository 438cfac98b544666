"""How each kind of file is written by Keras, told what it is, and run by its own runtime.

    keras     transfer-values.json within the .keras file, which is a ZIP archive
    onnx      metadata_props, under "transfer_values" and "class_names"
    openvino  rt_info, under "transfer_values" and "class_names"
    tflite    transfer-values.json and labels.txt in a ZIP archive at the file's end, where
              TensorFlow Lite keeps such files, and the runtime does not look

OpenVINO computes in bfloat16 by itself on CPUs that can: who loads its file has to say
``INFERENCE_PRECISION_HINT: f32`` for answers to three places. A file cannot say so itself.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.openvino_library import ov
from pipeline.backbones.quiet_keras import keras, without_chatter

ABOUT = "transfer_values"
NAMES = "class_names"
ABOUT_FILE, LABELS_FILE = "transfer-values.json", "labels.txt"

Run: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From uint8 (b, H, W, 3) to float32 (b, n_classes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    modules : tuple of str
        Of the libraries that write and run it, beside those that the package needs anyway.
    write : callable
        Takes the model, the path, and what the file is to be told of itself.
    open : callable
        Returns what runs a file.
    read_about : callable
        Returns what a file was told of itself, as JSON text.
    """

    modules: tuple[str, ...]
    write: Callable[[keras.Model, Path, Mapping[str, Any]], None]
    open: Callable[[Path], Run]
    read_about: Callable[[Path], str]


def _to_json(about: Mapping[str, Any]) -> str:
    """Return what a file is told of itself as JSON text, in ASCII."""
    return json.dumps(about, allow_nan=False)


def _write_keras(model: keras.Model, path: Path, about: Mapping[str, Any]) -> None:
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(ABOUT_FILE, _to_json(about))


def _open_keras(path: Path) -> Run:
    model = keras.models.load_model(path, compile=False)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with keras.device("cpu"):  # a GPU may round its products, and with them whole grey levels
            answers: NDArray[np.float32] = keras.ops.convert_to_numpy(model(images, training=False))
        return answers

    return run


def _export(model: keras.Model, path: Path, kind: str) -> None:
    with without_chatter(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how Keras calls NumPy and the converters
        model.export(str(path), format=kind, verbose=False)


def _write_onnx(model: keras.Model, path: Path, about: Mapping[str, Any]) -> None:
    onnx = import_module("onnx")
    _export(model, path, "onnx")
    proto = onnx.load(str(path))
    proto.producer_name, proto.producer_version = "transfer-values", about["version"]
    onnx.helper.set_model_props(proto, {ABOUT: _to_json(about), NAMES: json.dumps(about[NAMES])})
    _name_axes(proto, model)
    onnx.save(proto, str(path))


def _name_axes(proto: Any, model: keras.Model) -> None:
    """Call the input, the output and their axes by names that say what they are."""
    renamed = {
        proto.graph.input[0].name: model.inputs[0].name,
        proto.graph.output[0].name: model.output_names[0],
    }
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = renamed.get(name, name)
    axes = {"input": ("batch", "height", "width"), "output": ("batch",)}
    for values, words in ((proto.graph.input, axes["input"]), (proto.graph.output, axes["output"])):
        values[0].name = renamed[values[0].name]
        for dimension, word in zip(values[0].type.tensor_type.shape.dim, words, strict=False):
            dimension.dim_param = word


def _open_onnx(path: Path) -> Run:
    runtime = import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


def _write_openvino(model: keras.Model, path: Path, about: Mapping[str, Any]) -> None:
    made = path.with_name(f"plain-{path.name}")
    _export(model, made, "openvino")
    network = ov.Core().read_model(made)
    network.set_rt_info(_to_json(about), [ABOUT])
    network.set_rt_info(json.dumps(about[NAMES]), [NAMES])
    ov.save_model(network, path, compress_to_fp16=False)
    made.unlink()
    made.with_suffix(".bin").unlink()


def _open_openvino(path: Path) -> Run:
    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: np.array(compiled([images])[0], np.float32)


def _write_tflite(model: keras.Model, path: Path, about: Mapping[str, Any]) -> None:
    _export(model, path, "litert")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(ABOUT_FILE, _to_json(about))
        archive.writestr(LABELS_FILE, "".join(f"{name}\n" for name in _one_line(about[NAMES])))


def _one_line(names: list[str]) -> list[str]:
    """Return names as lines of UTF-8 text, whatever they hold."""
    lines = [json.dumps(name)[1:-1] if {"\n", "\r"} & set(name) else name for name in names]
    return [line.encode("utf-8", "backslashreplace").decode("utf-8") for line in lines]


def _open_tflite(path: Path) -> Run:
    with without_chatter():
        interpreter = import_module("ai_edge_litert.interpreter").Interpreter(str(path))
        interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        interpreter.resize_tensor_input(given, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given, images)
        interpreter.invoke()
        answers = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return np.asarray(answers, np.float32)

    return run


def _read_archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(ABOUT_FILE).decode("ascii")


def _read_onnx(path: Path) -> str:
    session = import_module("onnxruntime").InferenceSession(str(path))
    return str(session.get_modelmeta().custom_metadata_map[ABOUT])


def _read_openvino(path: Path) -> str:
    return str(ov.Core().read_model(path).get_rt_info([ABOUT]).astype(str))


FORMATS: dict[str, Format] = {
    "keras": Format(modules=(), write=_write_keras, open=_open_keras, read_about=_read_archive),
    "onnx": Format(
        modules=("onnx", "onnxruntime", "tf2onnx"),
        write=_write_onnx,
        open=_open_onnx,
        read_about=_read_onnx,
    ),
    "openvino": Format(
        modules=(), write=_write_openvino, open=_open_openvino, read_about=_read_openvino
    ),
    "tflite": Format(
        modules=("ai_edge_litert.interpreter",),
        write=_write_tflite,
        open=_open_tflite,
        read_about=_read_archive,
    ),
}

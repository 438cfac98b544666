"""Whole networks as files: Keras's own format, ONNX, OpenVINO's and TensorFlow Lite's.

Each is written by Keras, in float32, is told what it is (class names, recipe, versions) in the
place that the format has for that, and is run by the format's own runtime.

    keras     transfer-values.json within the .keras file, which is a ZIP archive
    onnx      metadata_props, under "transfer_values" and "class_names"
    openvino  rt_info, under "transfer_values" and "class_names"
    tflite    transfer-values.json and labels.txt in a ZIP archive at the file's end, where
              TensorFlow Lite keeps such files, and the runtime does not look

OpenVINO computes in bfloat16 by itself on CPUs that can, also where an image is resized: who loads
its file has to say ``INFERENCE_PRECISION_HINT: f32``. A file cannot say so itself.
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

from pipeline.backbones.keras_engine import list_gpus
from pipeline.backbones.network import Network
from pipeline.backbones.openvino_library import ov
from pipeline.backbones.quiet_keras import keras, without_chatter
from pipeline.backbones.whole_model import build_whole_model
from pipeline.errors import BackboneError, PipelineError
from pipeline.records import Head, Recipe

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
    """

    modules: tuple[str, ...]
    write: Callable[[keras.Model, Path, Mapping[str, Any]], None]
    open: Callable[[Path], Run]


def check_available(format_name: str) -> None:
    """Refuse a format whose libraries are not installed, before any work is done.

    Raises
    ------
    PipelineError
    BackboneError
        If Keras runs on another backend than TensorFlow, which the formats are made through.
    """
    for module in FORMATS[format_name].modules:
        try:
            with without_chatter():
                import_module(module)
        except ImportError as exc:
            raise PipelineError(
                f"--format {format_name} needs {module}, which cannot be loaded ({exc}). Run: pip "
                "install 'transfer-values[export]', or give --format keras."
            ) from exc
    backend = keras.config.backend()
    if format_name != "keras" and backend != "tensorflow":
        raise BackboneError(
            f"--format {format_name} needs Keras on TensorFlow, not on {backend}. Run the same "
            "command with KERAS_BACKEND=tensorflow."
        )


def make_file(
    network: Network,
    recipe: Recipe,
    head: Head,
    path: Path,
    *,
    format_name: str,
    about: Mapping[str, Any],
    margin: tuple[int, int, int],
    tall_first: bool,
) -> Run:
    """Build a network from photos to answers, write it, and load what was written.

    Parameters
    ----------
    network, head, margin, tall_first
        As for `build_whole_model`.
    recipe : Recipe
        Of the transfer values.
    path, format_name, about
        As for `write_model`.

    Raises
    ------
    ConfigError, BackboneError, OSError
        As `build_whole_model` and `write_model`.
    """
    list_gpus()  # TensorFlow looks for them anyway, and here it is quiet
    with keras.device("cpu"):
        model = build_whole_model(
            network, recipe.backbones, head, margin=margin, tall_first=tall_first
        )
    write_model(model, path, format_name, about)
    return open_model(path, format_name)


def write_model(model: keras.Model, path: Path, format_name: str, about: Mapping[str, Any]) -> None:
    """Write a network, in float32.

    Parameters
    ----------
    model : keras.Model
    path : Path
        Of the suffix that the format has; for OpenVINO a .bin file is written beside it.
    format_name : str
        Key of `FORMATS`.
    about : mapping
        JSON values that the file is told of itself, ``class_names`` among them.

    Raises
    ------
    BackboneError
        If a library cannot write this network.
    OSError
        If the place cannot be written.
    """
    try:
        FORMATS[format_name].write(model, path, about)
    except (OSError, MemoryError):
        raise
    except Exception as exc:  # of three libraries' converters
        words = str(exc).strip().split("\n")[0][:300]
        if "space" in words or "write" in words.lower():
            raise OSError(f"{path} cannot be written ({words})") from exc
        raise BackboneError(
            f"The network cannot be written as {format_name}: {type(exc).__name__}: {words}. Take "
            "another --format."
        ) from exc


def open_model(path: Path, format_name: str) -> Run:
    """Load a file by its format's own runtime, on the CPU and in float32."""
    return FORMATS[format_name].open(path)


def read_about(path: Path, format_name: str) -> dict[str, Any]:
    """Return what a file says of itself."""
    return dict(json.loads(_READERS[format_name](path)))


def to_json(about: Mapping[str, Any]) -> str:
    """Return what a file is told of itself as JSON text, in ASCII."""
    return json.dumps(about, allow_nan=False)


def _write_keras(model: keras.Model, path: Path, about: Mapping[str, Any]) -> None:
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(ABOUT_FILE, to_json(about))


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
    onnx.helper.set_model_props(proto, {ABOUT: to_json(about), NAMES: json.dumps(about[NAMES])})
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
    network.set_rt_info(to_json(about), [ABOUT])
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
        archive.writestr(ABOUT_FILE, to_json(about))
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
    "keras": Format(modules=(), write=_write_keras, open=_open_keras),
    "onnx": Format(
        modules=("onnx", "onnxruntime", "tf2onnx"),
        write=_write_onnx,
        open=_open_onnx,
    ),
    "openvino": Format(modules=(), write=_write_openvino, open=_open_openvino),
    "tflite": Format(
        modules=("ai_edge_litert.interpreter",),
        write=_write_tflite,
        open=_open_tflite,
    ),
}
_READERS: dict[str, Callable[[Path], str]] = {
    "keras": _read_archive,
    "onnx": _read_onnx,
    "openvino": _read_openvino,
    "tflite": _read_archive,
}

"""How a model card says a file is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.model_card.facts import CardFacts
from pipeline.model_card.markdown import escape

_LOADING = {
    "keras": """\
import keras

model = keras.models.load_model({file})
answers = model.predict(image[None])""",
    "onnx": """\
import onnxruntime

session = onnxruntime.InferenceSession({file})
answers = session.run(None, {{"images": image[None]}})[0]""",
    "openvino": """\
import openvino

settings = {{"INFERENCE_PRECISION_HINT": "f32"}}
model = openvino.Core().compile_model({file}, "CPU", settings)
answers = model([image[None]])[0]""",
    "tflite": """\
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter({file})
given = interpreter.get_input_details()[0]["index"]
interpreter.resize_tensor_input(given, image[None].shape)
interpreter.allocate_tensors()
interpreter.set_tensor(given, image[None])
interpreter.invoke()
answers = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])""",
    "npz": """\
import numpy as np

head = np.load({file})
scores = values @ head["weights"] + head["constants"]""",
}


def describe_loading(about: Mapping[str, Any], facts: CardFacts) -> Iterator[str]:
    """Yield code that runs the file, and which class each column is."""
    yield "## Loading"
    yield ""
    if facts.format == "npz":
        yield "`values` are transfer values, float32 (n, d), of the recipe below."
    else:
        yield "`image` is a NumPy array: uint8 (height, width, 3), RGB, 0–255."
    yield ""
    yield "```python"
    # A name may hold a backtick or a newline: `ascii` leaves neither to Markdown.
    yield _LOADING[facts.format].format(file=ascii(facts.file))
    if facts.format == "npz" and about["output"] == "probabilities":
        yield "powers = np.exp(scores - scores.max(axis=1, keepdims=True))"
        yield "answers = powers / powers.sum(axis=1, keepdims=True)"
    yield "```"
    yield ""
    yield f"Column k of the {about['output']} is class k, in this order:"
    yield ""
    yield ", ".join(f"{k} = {escape(name)}" for k, name in enumerate(about["class_names"]))
    yield ""

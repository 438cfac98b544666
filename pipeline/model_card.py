"""The model card beside a model file: what it is, how good it is, and where it ends, in Markdown.

Names of classes, files and data sets are other people's text: nothing in them is read as Markdown.

References
----------
M. Mitchell et al., "Model cards for model reporting", FAT* 2019, arXiv 1810.03993.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.records import Report, SelfCheck, flatten_recipe, printable, write_percent

MAX_CLASSES = 100
MAX_PAIRS = 10
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
_RECIPE = (
    ("model", "network"),
    ("layers", "layers"),
    ("pooling", "pooling"),
    ("input_size", "image size, pixels"),
    ("resize", "resizing"),
    ("interpolation", "interpolation"),
    ("preprocessing", "preprocessing"),
    ("augment", "mirroring"),
    ("precision", "precision of the transfer values"),
    ("dtype", "kept as"),
    ("weights_sha256", "weights, SHA-256"),
    ("manifest_digest", "images and labels, SHA-256"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What a card says of the file itself.

    Attributes
    ----------
    file, format : str
    n_bytes : int
    check : SelfCheck or None
        None if it was left out.
    kept : str
        See `Head.kept`.
    source : tuple of (str, str, str)
        Name, kind ("imagenet", "file", "random") and origin of each backbone's weights.
    image_sizes : tuple of int
        Sides of what the backbones take, in pixels.
    """

    file: str
    format: str
    n_bytes: int
    check: SelfCheck | None
    kept: str
    source: tuple[tuple[str, str, str], ...]
    image_sizes: tuple[int, ...]


def render_card(report: Report, about: Mapping[str, Any], facts: CardFacts) -> str:
    """Return a model card.

    Parameters
    ----------
    report : Report
        Of the fit.
    about : mapping
        What the file is told of itself.
    facts : CardFacts
    """
    parts = (
        _describe(report, about, facts),
        _describe_data(report),
        _describe_numbers(report),
        _describe_classes(report),
        _describe_check(facts),
        _describe_loading(about, facts),
        _describe_limits(report, facts),
        _describe_recipe(report, about),
        _describe_licence(facts),
    )
    return "\n".join(line for part in parts for line in part)


def escape(text: str) -> str:
    """Return text within a line of which nothing is read as Markdown, HTML or a link."""
    return re.sub(r"([\\`*_{}\[\]|<>&~:@$]|(?<=www)\.)", r"\\\1", printable(text))


def _describe(report: Report, about: Mapping[str, Any], facts: CardFacts) -> Iterator[str]:
    yield f"# {escape(facts.file)}"
    yield ""
    gives = (
        "the probability of each class"
        if about["output"] == "probabilities"
        else "a score for each class, which is no probability: the highest is the answer"
    )
    takes = (
        "transfer values"
        if facts.format == "npz"
        else "photos as they are decoded (RGB, 0–255, any height and width)"
    )
    yield (
        f"Takes {takes} and gives {gives}: {len(report.class_names):,} classes of "
        f"{escape(report.dataset)}, told apart by {escape(report.clf)} on the transfer values of "
        f"{escape(report.model)}."
    )
    if facts.kept:
        yield ""
        yield facts.kept
    yield ""


def _describe_data(report: Report) -> Iterator[str]:
    yield "## Data"
    yield ""
    yield "| images | |"
    yield "| --- | ---: |"
    yield f"| found | {report.n_found:,} |"
    yield f"| trained on | {report.n_train:,} |"
    yield f"| tested on | {report.n_test:,} |"
    if report.n_unused:
        yield f"| not used | {report.n_unused:,} |"
    for reason, n in report.skipped.items():
        yield f"| skipped: {escape(reason)} | {n:,} |"
    yield ""
    yield f"Split: {escape(report.split)}"
    yield ""


def _describe_numbers(report: Report) -> Iterator[str]:
    yield "## How good it is"
    yield ""
    yield "On the test images, which taught it nothing; 95 % intervals."
    yield ""
    yield "| | | |"
    yield "| --- | ---: | --- |"
    rows = (
        ("accuracy", report.accuracy, True),
        ("balanced_accuracy", report.balanced_accuracy, True),
        ("macro_f1", report.macro_f1, True),
        ("log_loss", report.log_loss, False),
        ("calibration_error", report.calibration_error, True),
    )
    for name, value, is_share in rows:
        if value is not None:
            interval = report.intervals.get(name)
            words = "" if interval is None else " to ".join(_write(v, is_share) for v in interval)
            yield f"| {name.replace('_', ' ')} | {_write(value, is_share)} | {words} |"
    for baseline in report.baselines:
        accuracy = _write(baseline["accuracy"], True)
        yield f"| {escape(baseline['name'])} | {accuracy} | to be beaten |"
    yield ""


def _write(value: float, is_share: bool) -> str:
    return f"{write_percent(value)} %" if is_share else f"{value:.3g}"


def _describe_classes(report: Report) -> Iterator[str]:
    yield "| class | recall | 95 % | precision | tested | trained |"
    yield "| --- | ---: | --- | ---: | ---: | ---: |"
    for row in report.per_class[:MAX_CLASSES]:
        interval = row["recall_ci"]
        words = "" if interval is None else " to ".join(_write(v, True) for v in interval)
        shares = [
            ("–" if row[k] is None else _write(row[k], True)) for k in ("recall", "precision")
        ]
        yield (
            f"| {escape(row['name'])} | {shares[0]} | {words} | {shares[1]} | {row['n_test']:,} | "
            f"{row['n_train']:,} |"
        )
    left = len(report.per_class) - MAX_CLASSES
    if left > 0:
        yield f"| and {left:,} more | | | | | |"
    yield ""
    if report.confused_pairs:
        yield "Most often mistaken:"
        yield ""
        for pair in report.confused_pairs[:MAX_PAIRS]:
            yield (
                f"- {escape(pair['true'])} for {escape(pair['predicted'])}: {pair['count']:,} times"
            )
        yield ""


def _describe_check(facts: CardFacts) -> Iterator[str]:
    yield "## Checked"
    yield ""
    check = facts.check
    if check is None:
        yield "**Not checked**: written with `--no-check`. Compare it with `predict` before use."
    elif facts.format == "npz":
        yield (
            f"Of {check.n_images} images' cached transfer values it names the same classes as "
            f"`predict`; probabilities differ by {check.largest:.1e} at most."
        )
    else:
        yield (
            f"Loaded by its own runtime and given {check.n_images} photos of {check.n_classes} "
            f"classes, it named the same classes as `predict`; probabilities differed by "
            f"{check.largest:.1e} at most (allowed: {check.tolerance:g})."
        )
    if check is not None and check.largest_in_full is not None:
        yield ""
        yield (
            f"{check.n_shrunk} of these photos are so large that `predict` shrinks them while it "
            f"decodes them, and so did this check. Given in full they differ by up to "
            f"{check.largest_in_full:.1e}: shrink large photos before they go in."
        )
    yield ""


def _describe_loading(about: Mapping[str, Any], facts: CardFacts) -> Iterator[str]:
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
    yield ", ".join(f"{k} {escape(name)}" for k, name in enumerate(about["class_names"]))
    yield ""


def _describe_limits(report: Report, facts: CardFacts) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield (
        "- It knows only these classes and names one of them whatever a photo shows. "
        "`pipeline predict --reject` can say that it is none of them; this file cannot."
    )
    yield (
        "- The numbers above hold for photos like those of the data set, taken by the same kind of "
        "camera, of the same kind of scene."
    )
    if facts.format == "openvino":
        yield (
            "- Load it with `INFERENCE_PRECISION_HINT` at `f32`, as above: by itself OpenVINO "
            "takes bfloat16 on CPUs that have it, in which photos are resized to something else."
        )
    if facts.format != "npz":
        sizes = " and ".join(str(size) for size in sorted(set(facts.image_sizes)))
        yield (
            f"- Photos are reduced to {sizes} pixels. Turn them upright (EXIF) and put "
            "transparency on white before they go in, as extraction does."
        )
    for note in report.notes:
        yield f"- {escape(note)}"
    yield ""


def _describe_recipe(report: Report, about: Mapping[str, Any]) -> Iterator[str]:
    recipe = flatten_recipe(report.recipe)
    yield "## Recipe"
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    for name, words in _RECIPE:
        if recipe.get(name) not in (None, [], ""):
            yield f"| {words} | {escape(str(recipe[name]))} |"
    for name, value in report.settings.get("used", {}).items():
        yield f"| {escape(str(name))} | {escape(str(value))} |"
    yield f"| fit | {escape(about['fit'])}, {escape(about['created'])} |"
    versions = ", ".join(f"{name} {number}" for name, number in sorted(about["versions"].items()))
    yield f"| written by | {escape(versions)} |"
    yield ""


def _describe_licence(facts: CardFacts) -> Iterator[str]:
    yield "## Licences"
    yield ""
    for name, kind, origin in facts.source:
        if kind == "imagenet":
            yield (
                f"- The weights of {escape(name)} were trained on ImageNet (ILSVRC 2012) and come "
                f"from {escape(origin)}: their licence is stated there."
            )
        elif kind == "file":
            yield f"- The weights of {escape(name)} are a file of yours."
        else:
            yield f"- The weights of {escape(name)} are random."
    yield "- The classifier was trained on your images: what holds for them may hold for it, too."
    yield ""

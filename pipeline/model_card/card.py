"""The model card beside a model file: what it is, how good it is, and where it ends, in Markdown.

Names of classes, files and data sets are other people's text: nothing in them is read as Markdown.

References
----------
M. Mitchell et al., "Model cards for model reporting", FAT* 2019, arXiv 1810.03993.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.model_card.facts import CardFacts
from pipeline.model_card.markdown import escape
from pipeline.model_card.measured import describe_classes, describe_data, describe_numbers
from pipeline.model_card.recipe import describe_recipe
from pipeline.model_card.usage import describe_loading
from pipeline.records import Report


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
        describe_data(report),
        describe_numbers(report),
        describe_classes(report),
        _describe_check(facts, str(about["output"])),
        describe_loading(about, facts),
        _describe_limits(report, facts),
        describe_recipe(report, about),
        _describe_licence(facts),
    )
    return "\n".join(line for part in parts for line in part)


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
        f"{escape(report.model)}. Format {facts.format}, {facts.n_bytes / 1e6:,.1f} MB."
    )
    if facts.kept:
        yield ""
        yield facts.kept
    yield ""


def _describe_check(facts: CardFacts, output: str) -> Iterator[str]:
    yield "## Checked"
    yield ""
    check = facts.check
    if check is None:
        yield "**Not checked**: written with `--no-check`. Compare it with `predict` before use."
    elif facts.format == "npz":
        yield (
            f"Of {check.n_images} images' cached transfer values it names the same classes as "
            f"`predict`; {output} differ by {check.largest:.1e} at most."
        )
    else:
        yield (
            f"Loaded by its own runtime and given {check.n_images} photos of {check.n_classes} "
            f"classes, it named the same classes as `predict`; {output} differed by "
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
            "takes bfloat16 on CPUs that have it, and answers are then good to a tenth."
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

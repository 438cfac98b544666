"""Advice as text for the terminal."""

from __future__ import annotations

import textwrap

from rich.text import Text

from pipeline.records import Advice, Probe, printable, write_percent

_CASES = {
    1: "few images, like those the network was trained on",
    2: "many images, like those the network was trained on",
    3: "few images, unlike those the network was trained on",
    4: "many images, unlike those the network was trained on",
}
_NARROWEST = 40
_SIZES = {"small": "few images", "large": "many images", "between": "neither few nor many images"}
_LIKENESSES = {
    "similar": "like those the network was trained on",
    "different": "unlike those the network was trained on",
    "unknown": "whether like those the network was trained on cannot be told",
}


def render_advice(advice: Advice, *, width: int, encoding: str = "utf-8") -> Text:
    """Return which case it is, what that follows from, and the commands, each on its line.

    Parameters
    ----------
    advice : Advice
    width : int
        Columns of the output, for sentences; commands are left whole, to be copied.
    encoding : str
        Of the output; what it lacks is shown as escapes.
    """
    counts, probed = advice.counts, advice.probed
    a_class = f"{counts.smallest:,} to {counts.largest:,}"
    rows = [
        (
            "images",
            f"{counts.n_images:,}, {counts.n_train:,} of them to train on: "
            f"{a_class if counts.smallest < counts.largest else f'{counts.largest:,}'} of each of "
            f"{counts.n_classes:,} classes",
        )
    ]
    if probed.late is not None and probed.early is not None:
        rows += [
            ("last layer", _describe(probed.late)),
            ("earlier layer", f"{_describe(probed.early)}  {probed.early.layer}"),
            ("tried on", f"{probed.n_images:,} training images, in 5 folds, with logreg"),
        ]
    lines = [Text(_clean(f"{advice.dataset} - {advice.model}", encoding), style="bold")]
    room = max(len(name) for name, _ in rows)
    lines += [
        Text.assemble((f"  {name:{room}}  ", "dim"), _clean(value, encoding))
        for name, value in rows
    ]
    lines += [Text(), Text(_name_case(advice), style="bold")]
    lines += [Text(_fill(_clean(reason, encoding), width)) for reason in advice.reasons]
    for step in advice.steps:
        lines += [
            Text(),
            Text(_clean(f"{step.why}:", encoding)),
            Text(_clean(f"  {step.command}", encoding), style="green"),
        ]
    return Text("\n").join(lines)


def _name_case(advice: Advice) -> str:
    if advice.case is not None:
        return f"Case {advice.case} of 4: {_CASES[advice.case]}"
    return f"Between the cases: {_SIZES[advice.size]}, {_LIKENESSES[advice.likeness]}"


def _describe(probe: Probe) -> str:
    low, high = write_percent(probe.low), write_percent(probe.high)
    return f"{write_percent(probe.accuracy)} % [{low}, {high}]  {probe.width:,} values"


def _fill(sentence: str, width: int) -> str:
    return textwrap.fill(
        sentence,
        max(width, _NARROWEST),
        initial_indent="- ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


def _clean(text: str, encoding: str) -> str:
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)

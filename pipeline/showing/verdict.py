"""What a fit says in two sentences, from what its report has; nothing is measured for it.

Where the report does not tell, the sentence says so: intervals that overlap show no difference,
one confusion is no pattern, and what was not looked for is not said to be absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.records import Called, Figure, Piece, Report, Sentence, Verdict, write_percent

MAJORITY = "most frequent class"
"""How `fitting.baselines` calls the answer that looks at no image."""

COLOURS = "colour histogram"

HARDLY = 0.005
"""A gain in accuracy below half a point is not worth twice the images."""

WIDE = 0.1
"""An interval from which on the accuracy is a rough figure: ten points."""


def judge_fit(report: Report) -> Verdict:
    """Return what a fit is worth and what to know of it.

    Parameters
    ----------
    report : Report
    """
    clauses = (_say_confusion(report), _say_twins(report), _say_more_images(report))
    return Verdict(
        worth=_finish(tuple(_say_worth(report))),
        caveats=_finish(_join(clauses, between="; ")),
    )


def write_verdict(report: Report) -> tuple[str, ...]:
    """Return the sentences about a fit as plain text, the accuracy first."""
    verdict = judge_fit(report)
    accuracy = _percent("accuracy", report.accuracy)
    ends = _interval("intervals.accuracy", report.intervals["accuracy"])
    images = "image is" if report.n_test == 1 else "images are"
    n_test = Figure(path="n_test", value=report.n_test, how="count")
    first = (accuracy, *ends, " of ", n_test, f" test {images} named correctly.")
    return tuple(map(write_sentence, (first, verdict.worth, verdict.caveats)))


def write_sentence(sentence: Sentence) -> str:
    """Return a sentence as plain text."""
    return "".join(map(_write, sentence))


def _write(piece: Piece) -> str:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Called):
        return piece.name
    if piece.how == "count":
        return f"{piece.value:,}"
    return write_percent(piece.value) + (" %" if piece.how == "percent" else "")


def _say_worth(report: Report) -> Iterator[Piece]:
    """Yield how the accuracy stands against the most frequent class and the best of the others."""
    places = _choose_baselines(report)
    if not places:
        yield "That cannot be compared with a simple answer, for none was measured"
    mine = report.intervals["accuracy"]
    clear = [k for k in places if _is_above(mine, report.baselines[k]["accuracy_ci"])]
    less = [k for k in places if _is_above(report.baselines[k]["accuracy_ci"], mine)]
    unclear = [k for k in places if k not in (*clear, *less)]
    groups = (
        ("clearly more than ", clear, ""),
        ("not shown to differ from ", unclear, ": the intervals overlap"),
        ("clearly less than ", less, ""),
    )
    said = [
        (words, *_name_baselines(report, group), after) for words, group, after in groups if group
    ]
    if said:
        yield from ("That is ", *_join(said, between=", but "))
    if mine is not None and mine[1] - mine[0] > WIDE:
        n_test = Figure(path="n_test", value=report.n_test, how="count")
        yield from ("; it is a rough figure, for ", n_test)
        yield " test image is little" if report.n_test == 1 else " test images are few"


def _choose_baselines(report: Report) -> list[int]:
    """Return the places of the majority's baseline and of the best of the others."""
    of_others = [
        place
        for place, baseline in enumerate(report.baselines)
        if baseline["name"] != MAJORITY and not _is_itself(report, baseline)
    ]
    best = sorted(of_others, key=lambda place: -report.baselines[place]["accuracy"])[:1]
    return [k for k, each in enumerate(report.baselines) if each["name"] == MAJORITY] + best


def _is_itself(report: Report, baseline: Mapping[str, Any]) -> bool:
    return report.clf == "knn" and "nearest neighbours" in baseline["name"]


def _is_above(higher: Sequence[float] | None, lower: Sequence[float] | None) -> bool:
    return higher is not None and lower is not None and higher[0] > lower[1]


def _name_baselines(report: Report, places: Sequence[int]) -> Sentence:
    named: list[Sentence] = []
    for place in places:
        baseline = report.baselines[place]
        name = Called(name=baseline["name"])
        words: Sentence = ("always naming the ", name) if name.name == MAJORITY else (name,)
        if name.name == COLOURS:
            words = ("a ", name)
        share = _percent(f"baselines.{place}.accuracy", baseline["accuracy"])
        named.append((*words, " (", share, ")"))
    return _join(named, between=" and ")


def _say_confusion(report: Report) -> Sentence:
    pairs = report.confused_pairs
    if not pairs:
        return ("no test image is named wrongly",)
    most = pairs[0]["count"]
    if most == 1:
        return ("no two classes are confused more than once",)
    equal = [pair for pair in pairs if pair["count"] == most]
    if len(equal) > 2:
        return ("no confusion stands out: several are as frequent as the first",)
    said = [_say_pair(report, pair, place) for place, pair in enumerate(equal)]
    return ("most often ", *_join(said, between=", and as often "))


def _say_pair(report: Report, pair: Mapping[str, Any], place: int) -> Sentence:
    true, predicted = (report.class_names.index(pair[key]) for key in ("true", "predicted"))
    n_test = report.per_class[true]["n_test"]
    share = Figure(
        path=f"row_share.{true}.{predicted}",
        value=pair["count"] / n_test,
        how="percent",
        counted=True,
    )
    return (
        *(Called(name=pair["true"]), " is taken for ", Called(name=pair["predicted"]), ": "),
        Figure(path=f"confused_pairs.{place}.count", value=pair["count"], how="count"),
        *(" of ", Figure(path=f"per_class.{true}.n_test", value=n_test, how="count")),
        *(" (", share, ")"),
    )


def _say_twins(report: Report) -> Sentence:
    twins = report.twins
    if twins is None:
        return ("nobody looked whether test images are in training, too",)
    n_twins = twins["n_exact"] + twins["n_near"]
    if not n_twins:
        return ("no test image has a twin in training",)
    have = " test image has" if n_twins == 1 else " test images have"
    count = Figure(path="n_twins", value=n_twins, how="count", counted=True)
    said: Sentence = (count, have, " a twin in training")
    if twins["accuracy_without"] is None:
        return (*said, ", so that nothing is known of images that are new")
    without = _percent("twins.accuracy_without", twins["accuracy_without"])
    ends = _interval("twins.accuracy_without_ci", twins["accuracy_without_ci"])
    return (*said, " (on the others the accuracy is ", without, *ends, ")")


def _say_more_images(report: Report) -> Sentence:
    curve = report.learning_curve
    if curve is None:
        return ("whether more images would help was not measured (fit --learning-curve does)",)
    if not curve["forecast"]:
        return ("whether more images would help cannot be told from so few",)
    last, twice = curve["accuracy"][-1], curve["forecast"][0]
    path = "learning_curve.forecast.0"
    n = Figure(path=f"{path}.n", value=twice["n"], how="count")
    expected = _percent(f"{path}.accuracy", twice["accuracy"])
    ends = (
        *(" [", Figure(path=f"{path}.low", value=twice["low"], how="bare"), ", "),
        *(Figure(path=f"{path}.high", value=twice["high"], how="bare"), "]"),
    )
    if twice["low"] > last + HARDLY:
        words = "more images would help: with "
    elif twice["high"] < last + HARDLY:
        words = "more images would hardly help: with "
    else:
        words = "whether more images would help cannot be told: with "
    return (words, n, " in training the forecast is ", expected, *ends)


def _percent(path: str, share: float) -> Figure:
    return Figure(path=path, value=share, how="percent")


def _interval(path: str, ends: Sequence[float] | None) -> Sentence:
    if ends is None:
        return ()
    low, high = (Figure(path=f"{path}.{k}", value=end, how="bare") for k, end in enumerate(ends))
    return (" [", low, ", ", high, "]")


def _join(sentences: Sequence[Sentence], *, between: str) -> Sentence:
    joined: list[Piece] = []
    for sentence in sentences:
        joined += [*([between] if joined else []), *sentence]
    return tuple(joined)


def _finish(sentence: Sentence) -> Sentence:
    """Return a sentence with its capital letter and its full stop."""
    first, *others = sentence
    if isinstance(first, str):
        first = first[:1].upper() + first[1:]
    return (first, *others, ".")

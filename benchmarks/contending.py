"""What every contender is made of: a process of its own that measures when it is told to.

Needs nothing but Python, since the peers run in another environment than ours. The process prints
one JSON line when it is warm; for each line it then reads it measures once and prints how long
that took; it ends with its input.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

_STARTED = time.perf_counter()
_FLATTENED = ("vgg16@150",)  # as tutorials take it; the others are averaged over the picture
_EMBEDDED = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
_EXTENSIONS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Case:
    """One network: a backbone at an image size.

    Attributes
    ----------
    model : str
        Name of the backbone.
    image_size : int
        Side of the square input in pixels.
    """

    model: str
    image_size: int

    @classmethod
    def parse(cls, text: str) -> Case:
        """Read "vgg16@150"."""
        model, at, size = text.partition("@")
        if not (model and at and size.isdecimal() and int(size)):
            raise argparse.ArgumentTypeError(
                f"a model is written as vgg16@150, with its image size. Got: {text!r}."
            )
        return cls(model, int(size))

    def __str__(self) -> str:
        return f"{self.model}@{self.image_size}"

    @property
    def pooling(self) -> str:
        """How the last layer becomes transfer values."""
        return "none" if str(self) in _FLATTENED else "avg"

    @property
    def weights(self) -> str:
        """The weights that need no download; random ones take the same time."""
        return "imagenet" if self.model in _EMBEDDED else "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a contender is asked for; `cache_dir` holds the networks that are converted already."""

    case: Case
    photos: Path
    cache_dir: Path

    def list_photos(self) -> list[Path]:
        """Return the photos in an order that mixes the classes, the same in every process."""
        paths = [p for p in self.photos.rglob("*") if p.suffix.lower() in _EXTENSIONS]
        if not paths:
            raise FileNotFoundError(f"{self.photos} holds no {', '.join(_EXTENSIONS)} file.")
        return random.Random(0).sample(sorted(paths), len(paths))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a contender does.

    Attributes
    ----------
    run : callable
        Does a number of items, a multiple of `step`, and returns when all are done.
    step : int
        Items of one batch.
    most : int or None
        Items that can be done at once, a multiple of `step`; None for any number.
    gflop : float or None
        10⁹ floating-point operations of one item.
    versions : mapping of str to str
        Of the libraries that do it.
    """

    run: Callable[[int], None]
    step: int
    most: int | None = None
    gflop: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


def main(contenders: Mapping[str, Callable[[Task], Work]]) -> None:
    """Be the contender that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender", choices=list(contenders))
    parser.add_argument("--case", type=Case.parse)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--cache-dir", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--images", type=int)
    arguments = parser.parse_args()
    task = Task(case=arguments.case, photos=arguments.photos, cache_dir=arguments.cache_dir)
    answers = _take_stdout()
    try:
        work = contenders[arguments.contender](task)
        work.run(work.step)  # compiles what is compiled late
        startup_seconds = time.perf_counter() - _STARTED
        n_items = choose_number(work, seconds=arguments.seconds, n_items=arguments.images)
    except Exception as exc:
        _answer(answers, {"failed": f"{type(exc).__name__}: {exc}"})
        raise SystemExit(1) from exc
    _answer(
        answers,
        {
            "startup_seconds": startup_seconds,
            "gflop": work.gflop,
            "versions": dict(work.versions),
        },
    )
    for _ in sys.stdin:
        _answer(answers, {"items": n_items, "seconds": time_run(work, n_items)})


def _take_stdout() -> TextIO:
    """Return what was stdout; whatever else is printed goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answer(answers: TextIO, fields: Mapping[str, object]) -> None:
    answers.write(json.dumps(fields) + "\n")
    answers.flush()


def time_run(work: Work, n_items: int) -> float:
    """Return the seconds that `n_items` take."""
    started = time.perf_counter()
    work.run(n_items)
    return time.perf_counter() - started


def choose_number(work: Work, *, seconds: float, n_items: int | None) -> int:
    """Return how many items make a measurement: those asked for, or as many as last `seconds`.

    The latter is found by doubling, which also warms up what `work` uses.
    """
    if n_items is not None:
        return _round(n_items, work)
    number = _round(1, work)
    taken = time_run(work, number)
    while taken < seconds / 4 and number != work.most:
        number = _round(2 * number, work)
        taken = time_run(work, number)
    return _round(number * seconds / taken, work)


def _round(n_items: float, work: Work) -> int:
    """Return a multiple of the step, at least one and at most what can be done at once."""
    whole = max(1, math.ceil(n_items / work.step)) * work.step
    return whole if work.most is None else min(whole, work.most)


def cut(n_items: int, size: int) -> Iterator[range]:
    """Yield the numbers below `n_items` in parts of `size`."""
    return (range(i, min(i + size, n_items)) for i in range(0, n_items, size))

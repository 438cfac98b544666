"""Where the time of an extraction goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.machine import count_cores
from pipeline.records import TimeLedger

SHORT = 2.0
"""Seconds below which nobody needs advice."""
START, DECODING, INFERENCE, WRITING, REST = "start", "decoding", "inference", "writing", "rest"


class Stopwatch:
    """Gives every moment to the one thing that an extraction waits for.

    Work that goes on behind another wait costs nobody time and is not counted.
    """

    def __init__(self) -> None:
        self._seconds = dict.fromkeys((START, DECODING, INFERENCE, WRITING, REST), 0.0)
        self._hashing = self._writing = 0.0
        self._now = REST
        self._since = time.perf_counter()

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count the time of a block as waiting for `what`; an inner block interrupts it."""
        before = self._switch(what)
        try:
            yield
        finally:
            self._switch(before)

    def add_work(self, *, hashing: float, writing: float) -> None:
        """Count seconds of work in the background, by one thread at a time."""
        self._hashing += hashing
        self._writing += writing

    def read(self) -> TimeLedger:
        """Return what was counted until now.

        Waiting for the background is divided in the ratio of the work there.
        """
        self._switch(self._now)
        found, hashing, writing = self._seconds, self._hashing, self._writing
        share = hashing / (hashing + writing) if hashing else 0.0
        return TimeLedger(
            start=found[START],
            decoding=found[DECODING],
            inference=found[INFERENCE],
            hashing=found[WRITING] * share,
            writing=found[WRITING] * (1 - share),
            rest=found[REST],
            work_hashing=hashing,
            work_writing=writing,
        )

    def _switch(self, what: str) -> str:
        now = time.perf_counter()
        self._seconds[self._now] += now - self._since
        before, self._now, self._since = self._now, what, now
        return before


def advise(ledger: TimeLedger, *, device: str, workers: int, can_be_coarser: bool) -> str:
    """Return in one line what would make an extraction faster; nothing for a short one.

    Parameters
    ----------
    ledger : TimeLedger
    device : str
        Of the engine.
    workers : int
        Decoding threads.
    can_be_coarser : bool
        Whether `--precision bfloat16` would be computed by the hardware itself.
    """
    what, share = ledger.slowest
    n_cores = count_cores()
    if ledger.total - ledger.start < SHORT:
        return ""
    if what == DECODING and workers < n_cores:
        how = f"raise --workers, there are {n_cores} cores"
    elif what == DECODING:
        how = f"{workers} threads decode on {n_cores} cores; smaller photos would be faster"
    elif what == INFERENCE and can_be_coarser:
        how = "--precision bfloat16 computes up to twice as fast here"
    elif what == "hashing":
        how = "this is the speed of the CPU"
    elif what == INFERENCE:
        how = f"this is the speed of the {device.upper()}; a smaller --model would be faster"
    elif what == WRITING:
        how = "put --cache-dir on a faster disk"
    else:
        return ""
    return f"{what}-bound ({share:.0%} of the time): {how}"

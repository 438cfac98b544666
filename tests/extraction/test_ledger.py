"""Every moment of an extraction is counted once, as waiting for one thing."""

import json
from types import SimpleNamespace

import pytest

from pipeline.extraction import ledger
from pipeline.extraction.ledger import (
    DECODING,
    INFERENCE,
    REST,
    SHORT,
    START,
    WRITING,
    Stopwatch,
    advise,
)
from pipeline.records import TimeLedger

NAMES = ("start", "decoding", "inference", "hashing", "writing", "rest")


class Clock:
    """A clock that only goes on when it is told to; halves and quarters add up exactly."""

    def __init__(self):
        self.now = 1024.0

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(ledger, "time", SimpleNamespace(perf_counter=clock))
    return clock


def make_ledger(**seconds):
    fields = dict.fromkeys((*NAMES, "work_hashing", "work_writing"), 0.0)
    return TimeLedger(**(fields | seconds))


class TestStopwatch:
    def test_what_nothing_is_waited_for_is_the_rest(self, clock):
        stopwatch = Stopwatch()
        clock.pass_by(2.5)
        found = stopwatch.read()
        assert found == make_ledger(rest=2.5)

    @pytest.mark.parametrize("what", [START, DECODING, INFERENCE, WRITING])
    def test_a_wait_is_counted_as_what_it_is_and_the_rest_goes_on_behind_it(self, clock, what):
        stopwatch = Stopwatch()
        clock.pass_by(1)
        for seconds in (2, 4):
            with stopwatch.on(what):
                clock.pass_by(seconds)
            clock.pass_by(8)
        assert stopwatch.read() == make_ledger(**{what: 6.0, "rest": 17.0})

    def test_an_inner_wait_interrupts_the_outer_one(self, clock):
        stopwatch = Stopwatch()
        with stopwatch.on(INFERENCE):
            clock.pass_by(1)
            with stopwatch.on(DECODING):
                clock.pass_by(2)
                with stopwatch.on(WRITING):
                    clock.pass_by(4)
                clock.pass_by(8)
            clock.pass_by(16)
            with stopwatch.on(INFERENCE):
                clock.pass_by(32)
        clock.pass_by(64)
        found = stopwatch.read()
        assert (found.inference, found.decoding, found.writing) == (49, 10, 4)
        assert found.rest == 64
        assert found.total == 127 == sum(found.waits.values())

    def test_an_exception_within_a_wait_ends_it(self, clock):
        stopwatch = Stopwatch()

        def compute():
            with stopwatch.on(INFERENCE):
                clock.pass_by(1)
                with stopwatch.on(DECODING):
                    clock.pass_by(2)
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            compute()
        clock.pass_by(4)
        found = stopwatch.read()
        assert found == make_ledger(inference=1.0, decoding=2.0, rest=4.0)

    def test_it_can_be_read_within_a_wait_and_goes_on(self, clock):
        stopwatch = Stopwatch()
        with stopwatch.on(START):
            clock.pass_by(1)
            assert stopwatch.read() == make_ledger(start=1.0)
            clock.pass_by(2)
        clock.pass_by(4)
        assert stopwatch.read() == make_ledger(start=3.0, rest=4.0)

    @pytest.mark.parametrize(
        ("work", "split"),
        [((3.0, 9.0), (2.0, 6.0)), ((0.0, 5.0), (0.0, 8.0)), ((5.0, 0.0), (8.0, 0.0))],
    )
    def test_waiting_for_what_is_written_is_divided_like_the_work(self, clock, work, split):
        stopwatch = Stopwatch()
        with stopwatch.on(WRITING):
            clock.pass_by(8)
        stopwatch.add_work(hashing=work[0] / 2, writing=work[1] / 4)
        stopwatch.add_work(hashing=work[0] / 2, writing=work[1] * 3 / 4)
        found = stopwatch.read()
        assert (found.hashing, found.writing) == split
        assert (found.work_hashing, found.work_writing) == work
        assert found.total == 8

    def test_work_that_nobody_waited_for_takes_no_time(self, clock):
        stopwatch = Stopwatch()
        with stopwatch.on(INFERENCE):
            clock.pass_by(8)
        stopwatch.add_work(hashing=3.0, writing=5.0)
        found = stopwatch.read()
        assert found.total == found.inference == 8
        assert (found.work_hashing, found.work_writing) == (3, 5)


class TestTimeLedger:
    def test_the_total_is_what_was_waited_for_and_not_the_work_behind_it(self):
        parts = {name: 2.0**k for k, name in enumerate(NAMES)}
        found = make_ledger(**parts, work_hashing=100.0, work_writing=200.0)
        assert found.waits == parts
        assert list(found.waits) == list(NAMES)
        assert found.total == 63

    def test_the_start_is_never_the_slowest(self):
        found = make_ledger(start=100.0, decoding=3.0, inference=1.0)
        assert found.slowest == ("decoding", 0.75)

    @pytest.mark.parametrize("name", NAMES[1:])
    def test_the_slowest_is_what_was_waited_for_longest(self, name):
        others = dict.fromkeys(NAMES[1:], 1.0)
        assert make_ledger(**(others | {name: 5.0})).slowest == (name, 5 / 9)

    def test_of_no_time_nothing_is_a_share(self):
        assert make_ledger().slowest[1] == 0
        assert make_ledger(start=3.0).slowest[1] == 0

    def test_as_json_it_has_all_of_it_in_milliseconds(self):
        fields = make_ledger(decoding=1.23456, rest=2.0, work_writing=7.0).to_dict()
        assert json.loads(json.dumps(fields)) == fields
        assert set(fields) == {*NAMES, "work_hashing", "work_writing", "total"}
        assert (fields["decoding"], fields["work_writing"], fields["total"]) == (1.235, 7, 3.235)


class TestAdvice:
    @pytest.fixture(autouse=True)
    def _four_cores(self, monkeypatch):
        monkeypatch.setattr(ledger, "count_cores", lambda: 4)

    def ask(self, *, workers=4, device="cpu", coarser=False, **seconds):
        return advise(
            make_ledger(**seconds), device=device, workers=workers, can_be_coarser=coarser
        )

    def test_short_extractions_need_none(self):
        assert self.ask(start=100.0, decoding=SHORT * 0.99) == ""
        assert self.ask(start=100.0, decoding=SHORT) != ""

    def test_threads_that_are_not_used_are_advised(self):
        assert self.ask(decoding=6.0, inference=2.0, workers=3) == (
            "decoding-bound (75% of the time): raise --workers, there are 4 cores"
        )

    @pytest.mark.parametrize("workers", [4, 8])
    def test_more_threads_than_cores_are_not_advised(self, workers):
        advice = self.ask(decoding=6.0, inference=2.0, workers=workers)
        assert advice == (
            f"decoding-bound (75% of the time): {workers} threads decode on 4 cores; smaller "
            "photos would be faster"
        )

    def test_bfloat16_is_advised_where_it_is_not_used_yet(self):
        assert self.ask(inference=6.0, decoding=2.0, coarser=True) == (
            "inference-bound (75% of the time): --precision bfloat16 computes up to twice as fast "
            "here"
        )

    @pytest.mark.parametrize(("device", "said"), [("cpu", "CPU"), ("gpu:0", "GPU:0")])
    def test_at_the_speed_of_the_device_a_smaller_network_is_left(self, device, said):
        assert self.ask(inference=6.0, decoding=2.0, device=device) == (
            f"inference-bound (75% of the time): this is the speed of the {said}; a smaller "
            "--model would be faster"
        )

    def test_a_slow_disk_is_named(self):
        assert self.ask(writing=6.0, inference=2.0) == (
            "writing-bound (75% of the time): put --cache-dir on a faster disk"
        )

    def test_hashing_is_what_the_processor_can_do(self):
        assert self.ask(hashing=6.0, inference=2.0) == (
            "hashing-bound (75% of the time): this is the speed of the CPU"
        )

    def test_nothing_is_advised_against_the_rest(self):
        assert self.ask(**{REST: 6.0, INFERENCE: 2.0}) == ""

    def test_a_long_start_is_no_part_of_the_share(self):
        assert self.ask(start=1000.0, decoding=6.0, inference=2.0).startswith("decoding-bound (75%")

import signal

import pytest

from pipeline import commands


@pytest.fixture
def signals():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    handler = commands._Signals()
    handler.install()
    yield handler
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGTERM, before[1])


def send(number: int) -> None:
    signal.raise_signal(number)  # to this thread: another one, of a library, would take its time


def test_a_signal_stops_at_once(signals):
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)
    with pytest.raises(commands._Terminated):
        send(signal.SIGTERM)


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, commands._Terminated)],
)
def test_while_foreign_code_runs_it_waits_for_the_end(signals, number, raised, capfd):
    reached = []

    def load():
        with signals.hold():
            send(number)
            reached.append("the end")

    with pytest.raises(raised):
        load()
    assert reached == ["the end"]
    assert "Stopping once the network is loaded" in capfd.readouterr().err


def test_the_second_does_not_wait(signals):
    reached = []

    def load():
        with signals.hold():
            send(signal.SIGINT)
            send(signal.SIGINT)
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        load()
    assert reached == []


def test_without_a_signal_nothing_happens(signals):
    with signals.hold():
        pass

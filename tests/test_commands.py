"""Signals, each in an interpreter of its own: what libraries left behind in this one is unknown."""

import signal
import subprocess
import sys
import textwrap

import pytest

PREPARED = """
import signal
from pipeline import commands
signals = commands._Signals()
signals.install()
reached = []
try:
{body}
except KeyboardInterrupt:
    reached.append("interrupted")
except commands._Terminated:
    reached.append("terminated")
print(*reached, sep=", ")
"""


def run(body: str) -> tuple[str, str]:
    """Return what was reached when a body is run, and what it said on stderr."""
    code = PREPARED.format(body=textwrap.indent(textwrap.dedent(body).strip(), "    "))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip(), done.stderr


BOTH = pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)


@BOTH
def test_a_signal_stops_at_once(number, ends):
    body = f"""
        signal.raise_signal({int(number)})
        reached.append("the end")
    """
    assert run(body) == (ends, "")


@BOTH
def test_while_foreign_code_runs_it_waits_for_the_end(number, ends):
    body = f"""
        with signals.hold():
            signal.raise_signal({int(number)})
            reached.append("the end")
        reached.append("behind it")
    """
    reached, said = run(body)
    assert reached == f"the end, {ends}"
    assert "Stopping once the network is loaded" in said


def test_the_second_does_not_wait():
    body = f"""
        with signals.hold():
            signal.raise_signal({int(signal.SIGINT)})
            reached.append("the first")
            signal.raise_signal({int(signal.SIGINT)})
            reached.append("the end")
    """
    assert run(body)[0] == "the first, interrupted"


def test_without_a_signal_nothing_happens():
    assert run("with signals.hold():\n    reached.append('the end')") == ("the end", "")

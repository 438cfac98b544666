import subprocess
import sys

import pytest

from pipeline import machine

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and ulimits")


@linux
def test_free_memory_is_less_than_all_of_it():
    free, memory = machine.free_memory(), machine.count_memory()
    assert free is not None
    assert memory is not None
    assert 0 < free < memory


@linux
def test_a_container_has_what_it_has_left(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    unlimited = machine.free_memory()
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    assert machine.free_memory() == 3_000_000
    (tmp_path / "memory.stat").write_text("anon 7\ninactive_file 1500000\nactive_file 9\n")
    assert machine.free_memory() == 4_500_000
    (tmp_path / "memory.current").write_text("9000000\n")
    assert machine.free_memory() == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory() == pytest.approx(unlimited, rel=0.5)


@linux
def test_a_process_that_was_limited_has_no_more_than_its_limit():
    code = (
        "import resource; from pipeline.machine import free_memory\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (300_000_000, resource.RLIM_INFINITY))\n"
        "print(free_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 300_000_000


def test_elsewhere_it_is_not_known(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.free_memory() is None

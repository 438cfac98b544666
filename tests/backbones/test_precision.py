import pytest

from pipeline.backbones import precision
from pipeline.backbones.precision import (
    cpu_has_bfloat16,
    expect_engine,
    may_have_gpu,
    parse_device,
    resolve_precision,
)
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("device", "expected"),
    [("auto", ("auto", 0)), ("cpu", ("cpu", 0)), ("gpu", ("gpu", 0)), ("gpu:3", ("gpu", 3))],
)
def test_devices(device, expected):
    assert parse_device(device) == expected


@pytest.mark.parametrize("device", ["", "GPU", "gpu:", "gpu:-1", "cpu:0", "tpu", "gpu:1 "])
def test_other_devices_are_refused(device):
    with pytest.raises(ConfigError, match="--device must be auto, cpu, gpu or gpu:N"):
        parse_device(device)


@pytest.mark.parametrize(
    ("cpu_info", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu sse avx512f avx512_bf16\n", True),
        ("flags : fpu amx_bf16 amx_tile\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags : fpu avx2 avx512f\nbugs : bf16\n", False),
        ("", False),
    ],
)
def test_bfloat16_is_read_from_the_cpus_flags(cpu_info, expected):
    assert cpu_has_bfloat16(cpu_info) is expected


def test_auto_is_settled_by_the_machine(tmp_path, monkeypatch):
    cpu_info = tmp_path / "cpuinfo"
    driver = tmp_path / "driver"
    monkeypatch.setattr(precision, "_CPU_INFO", cpu_info)
    monkeypatch.setattr(precision, "NVIDIA_DRIVER", driver)
    assert resolve_precision("auto") == "float32"
    cpu_info.write_text("flags : avx2\n")
    assert resolve_precision("auto") == "float32"
    cpu_info.write_text("flags : amx_bf16\n")
    assert resolve_precision("auto") == "bfloat16"
    cpu_info.write_text("flags : avx2\n")
    driver.write_text("NVRM version")
    assert resolve_precision("auto") == "bfloat16"
    assert resolve_precision("auto", device="cpu") == "float32"
    assert resolve_precision("auto", device="gpu:1") == "bfloat16"


def test_what_is_asked_for_is_kept():
    assert resolve_precision("float32", device="gpu") == "float32"
    assert resolve_precision("bfloat16", device="cpu") == "bfloat16"
    with pytest.raises(ConfigError, match="--precision must be one of"):
        resolve_precision("float64")


@pytest.mark.parametrize(
    ("platform", "driver", "backend", "plugins", "expected"),
    [
        ("linux", False, None, (), False),
        ("linux", True, None, (), True),
        ("linux", False, "jax", (), False),
        ("darwin", False, None, (), False),
        ("darwin", False, None, ("tensorflow-metal",), True),
        ("win32", False, "torch", (), True),
        ("win32", True, "tensorflow", (), False),
    ],
)
def test_keras_is_asked_only_where_there_may_be_a_gpu(
    tmp_path, monkeypatch, platform, driver, backend, plugins, expected
):
    path = tmp_path / "driver"
    if driver:
        path.touch()
    monkeypatch.setattr(precision, "_GPU_DRIVERS", (path,))
    monkeypatch.setattr(precision.sys, "platform", platform)
    monkeypatch.setattr(precision, "find_version", lambda name: "1" if name in plugins else None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if backend:
        monkeypatch.setenv("KERAS_BACKEND", backend)
    assert may_have_gpu() == expected
    assert expect_engine("auto") == ("keras" if expected else "openvino")
    assert expect_engine("cpu") == "openvino"
    assert expect_engine("gpu:1") == "keras"

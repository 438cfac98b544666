"""What `--device` and `--precision` mean on this machine, found out without a heavy import."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from pipeline.config import PRECISIONS, check_choice
from pipeline.errors import ConfigError
from pipeline.machine import find_version

_CPU_INFO = Path("/proc/cpuinfo")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
# NVIDIA's on Linux, on Jetson boards and within Windows (WSL 2); AMD's.
_GPU_DRIVERS = (NVIDIA_DRIVER, Path("/dev/nvhost-ctrl"), Path("/dev/dxg"), Path("/dev/kfd"))
_GPU_PLUGINS = ("tensorflow-metal", "tensorflow-directml-plugin")
# x86: AMX tiles or AVX-512; Arm: the bfloat16 extension.
_BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})


def parse_device(device: str) -> tuple[str, int]:
    """Split `--device` into its kind ("auto", "cpu", "gpu") and the GPU's number.

    Raises
    ------
    ConfigError
        When it is none of auto, cpu, gpu and gpu:N.
    """
    match = re.fullmatch(r"(auto|cpu|gpu)|gpu:(\d{1,3})", device)
    if match is None:
        raise ConfigError(f"--device must be auto, cpu, gpu or gpu:N. Got: {device!r}.")
    return match[1] or "gpu", int(match[2] or 0)


def may_have_gpu() -> bool:
    """Tell whether there is anything that looks like a GPU that Keras can use.

    Where there is none, `--device auto` is the CPU, and Keras need not be imported to ask.
    """
    if sys.platform == "linux":
        return any(path.exists() for path in _GPU_DRIVERS)
    # Elsewhere TensorFlow by itself sees no GPU.
    is_tensorflow = os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"
    return not is_tensorflow or any(find_version(plugin) for plugin in _GPU_PLUGINS)


def expect_engine(device: str) -> str:
    """Return "openvino" if `device` is sure to be a CPU, else "keras", which can see GPUs.

    Raises
    ------
    ConfigError
        When the device is unknown.
    """
    kind, _ = parse_device(device)
    return "openvino" if kind == "cpu" or (kind == "auto" and not may_have_gpu()) else "keras"


def cpu_has_bfloat16(cpu_info: str) -> bool:
    """Tell from the text of /proc/cpuinfo whether the CPU multiplies in bfloat16 by itself."""
    for line in cpu_info.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return not _BFLOAT16_FLAGS.isdisjoint(value.split())
    return False


def resolve_precision(precision: str, *, device: str = "auto") -> str:
    """Return "float32" or "bfloat16" for `--precision`, the same at every call on a machine.

    "auto" is bfloat16 where the hardware has it: GPUs, and CPUs with AMX, AVX-512 BF16 or Arm's
    bfloat16 extension. It has to be settled before a recipe is made, because it decides the
    numbers.

    Raises
    ------
    ConfigError
        When the precision or the device is unknown.
    """
    check_choice("--precision", precision, PRECISIONS)
    kind, _ = parse_device(device)
    if precision != "auto":
        return precision
    if kind == "gpu" or (kind == "auto" and NVIDIA_DRIVER.exists()):
        return "bfloat16"
    try:
        cpu_info = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # Not Linux: the CPU's abilities are unknown, and float32 is always right.
        return "float32"
    return "bfloat16" if cpu_has_bfloat16(cpu_info) else "float32"

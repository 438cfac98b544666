"""What every benchmark says of itself: its command, the machine, and how busy that was."""

from __future__ import annotations

import json
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.machine import count_cores, count_memory, find_version

FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx_vnni", "avx512_vnni", "amx_bf16", "amx_tile")
LIBRARIES = ("transfer-values", "keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy")


def begin_report() -> dict[str, Any]:
    """Print and return the head of a report."""
    report = {
        "command": shlex.join(["python", *sys.argv]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "load_before": os.getloadavg(),
    }
    print(f"{report['machine']['cpu']}, {report['machine']['cores']} cores\n`{report['command']}`")
    return report


def write_report(report: dict[str, Any], path: Path | None) -> None:
    """Write what is known by now, if asked to: nothing is lost should the rest fail."""
    report["load_after"] = os.getloadavg()
    if path:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    about = {key.strip(): value.strip() for key, _, value in (ln.partition(":") for ln in lines)}
    memory = count_memory()
    return {
        "cpu": about.get("model name", "unknown processor"),
        "cpu_family_model": f"{about.get('cpu family')}/{about.get('model')}",
        "flags": [flag for flag in FLAGS if flag in about.get("flags", "").split()],
        "cores": count_cores(),
        "memory_gb": memory and round(memory / 1e9, 1),
        "python": sys.version.split()[0],
        "versions": {name: found for name in LIBRARIES if (found := find_version(name))},
    }

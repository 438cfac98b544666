"""Look a machine over: what is installed, where files go, and whether the network computes right.

Every check is a line of its own, and none of them ends the others: whatever a check meets, a
library that does not load above all, becomes its line.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import stat
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import __version__
from pipeline.backbones.network import Network
from pipeline.backbones.precision import NVIDIA_DRIVER, resolve_precision
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import keras_models_dir, resolve_weights
from pipeline.config import ExtractConfig
from pipeline.errors import PipelineError
from pipeline.machine import count_cores, count_memory

OK, WARNING, ERROR = "ok", "warning", "error"
ENGINES = ("openvino", "keras")
MIN_PYTHON = (3, 11)
MIN_FREE_BYTES = 1_000_000_000
# A library's distribution, and a module that loads its compiled parts.
PACKAGES = {
    "numpy": "numpy",
    "scikit-learn": "sklearn.linear_model",
    "pandas": "pandas",
    "zarr": "zarr",
    "Pillow": "PIL.Image",
}
# The 16 largest transfer values of `golden_picture` by their places, and the norm of all 1,280.
# Engines differ in float32 by less than 1e-6 of the norm; bfloat16 does by 1e-2, a picture that
# is brighter by 1 by 1e-3, one with red and blue exchanged by 7e-2.
GOLDEN_MODEL = "efficientnet-lite0"
GOLDEN_VALUES = {
    113: 5.234454, 115: 3.636545, 198: 3.123240, 245: 3.388625,
    327: 4.188519, 714: 3.363472, 755: 2.904449, 853: 2.936625,
    892: 3.215497, 897: 5.047964, 949: 3.507091, 989: 5.075382,
    1126: 3.958920, 1133: 3.122302, 1189: 3.429174, 1199: 3.066866,
}  # fmt: skip
GOLDEN_NORM = 20.977382
TOLERANCE = 1e-4

_MOUNTS = Path("/proc/mounts")
_NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|lustre|gpfs|beegfs|glusterfs|fuse\.(?!fuse-overlayfs).+"
)

ImportModule = Callable[[str], ModuleType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of `pipeline doctor`.

    Attributes
    ----------
    name : str
        What was looked at.
    state : str
        "ok", "warning" (works, but not as well as it could) or "error" (something is wrong).
    found : str
    advice : str
        What to do next; empty where there is nothing to do, or `found` has it.
    """

    name: str
    state: str
    found: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def diagnose(cache_dir: Path, data_dir: Path, import_module: ImportModule) -> Iterator[Check]:
    """Check the machine, quick things first, and yield each check as soon as it is done.

    Folders are tried with a temporary file that is gone at once. (Keras itself, when it is loaded,
    writes its settings to its own folder, as it does with every command that loads it.)

    Parameters
    ----------
    cache_dir, data_dir : Path
        Need not exist yet.
    import_module : callable
        `importlib.import_module`: Keras, OpenVINO and the rest are loaded when their turn comes.

    Yields
    ------
    Check
    """
    yield _run("Python", _check_python)
    yield _run("cache", partial(_check_cache, folder=cache_dir))
    yield _run("data", partial(_check_folder, folder=data_dir, flag="--data-dir"))
    weights = _run("weights", _check_weights)
    yield weights
    yield _run("downloads", _check_downloads)
    yield _run("packages", partial(_check_packages, import_module=import_module))
    advice = _advise_on_engines()
    backend = _run("backend", partial(_check_backend, import_module=import_module), advice=advice)
    yield backend
    yield _run("devices", partial(_check_devices, import_module=import_module))
    yield _run("precision", _check_precision)
    needed = [check.name for check in (weights, backend) if check.state == ERROR]
    for engine in ENGINES:
        if needed:
            yield Check(name=engine, state=WARNING, found=f"not tried: see {needed[0]}")
        else:
            yield _run(engine, partial(_check_engine, import_module=import_module), advice=advice)


def golden_picture(size: int) -> NDArray[np.uint8]:
    """Return a picture of gradients, the same on every machine.

    Returns
    -------
    uint8 ndarray of shape (size, size, 3)
        RGB, 0-255, from integer arithmetic alone.
    """
    y, x = np.mgrid[:size, :size]
    channels = [3 * x + y, x + 2 * y, x * y // 16]
    return (np.stack(channels, axis=-1) % 256).astype(np.uint8)


def _run(name: str, check: Callable[[str], Check], advice: str = "") -> Check:
    """Return what a check finds, or what kept it from finding anything."""
    try:
        return check(name)
    except PipelineError as exc:  # says itself what to do
        return Check(name=name, state=ERROR, found=str(exc))
    except Exception as exc:  # noqa: BLE001 - a broken library may raise anything
        return Check(name=name, state=ERROR, found=_describe(exc), advice=advice)


def _describe(exc: Exception) -> str:
    return textwrap.shorten(f"{type(exc).__name__}: {exc}", 400, placeholder=" ...")


def _reinstall(packages: str) -> str:
    return f"Run: pip install --force-reinstall {packages}"


def _advise_on_engines() -> str:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow":
        return _reinstall("tensorflow keras openvino")
    return f"Run: unset KERAS_BACKEND. It asks for {backend}, which is not installed or unusable."


def _check_python(name: str) -> Check:
    bits = 64 if sys.maxsize > 2**32 else 32
    found = f"{platform.python_version()}, {bits}-bit, {platform.system()}, {sys.prefix}"
    if sys.version_info[:2] < MIN_PYTHON or bits < 64:
        wanted = ".".join(map(str, MIN_PYTHON))
        return Check(
            name=name,
            state=ERROR,
            found=found,
            advice=f"Install a 64-bit Python {wanted} or later.",
        )
    return Check(name=name, state=OK, found=found)


def _check_cache(name: str, folder: Path) -> Check:
    check = _check_folder(name, folder, flag="--cache-dir")
    kind = _file_system(_nearest(folder))
    if check.state == OK and _NETWORK_FILE_SYSTEMS.fullmatch(kind):
        return replace(
            check,
            state=WARNING,
            advice=f"Locks may not hold on {kind}: write to it from one machine at a time, or give"
            " a --cache-dir on a local disk.",
        )
    return check


def _check_folder(name: str, folder: Path, flag: str) -> Check:
    """Check that a folder, or the nearest one above it that exists, takes files and has room."""
    other = f"give another {flag}" if flag.startswith("--") else f"set {flag} to another folder"
    nearest = _nearest(folder)
    place = str(folder.absolute())
    if not nearest.is_dir():
        return Check(
            name=name,
            state=ERROR,
            found=f"{place} cannot be used: {nearest} is not a folder",
            advice=f"Move it away, or {other}.",
        )
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        return Check(
            name=name,
            state=ERROR,
            found=f"{place} cannot be written: {exc.strerror}",
            advice=f"Make {nearest} writable, or {other}.",
        )
    free = shutil.disk_usage(nearest).free
    kind = _file_system(nearest)
    found = f"{place}, {_gigabytes(free)} free{kind and f' on {kind}'}"
    if free < MIN_FREE_BYTES:
        return Check(
            name=name, state=WARNING, found=found, advice=f"Make room on this disk, or {other}."
        )
    return Check(name=name, state=OK, found=found)


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or the first thing above it that is there."""
    absolute = folder.absolute()
    places = (absolute, *absolute.parents)
    # A link to nowhere is there, too: no folder can be made in its place.
    return next(place for place in places if place.exists() or place.is_symlink())


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder lies on, "" where it is not known."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux
        return ""
    folder = folder.resolve()
    mounts = []
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        unescaped = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place)
        mounts.append((Path(unescaped), kind))
    above = [(place, kind) for place, kind in mounts if folder.is_relative_to(place)]
    # Of two mounts at one place the later one covers the earlier one.
    return max(reversed(above), key=lambda mount: len(mount[0].parts), default=(None, ""))[1]


def _check_weights(name: str) -> Check:
    spec = get_spec(GOLDEN_MODEL)
    weights = resolve_weights(spec, ExtractConfig().weights)
    found = f"{spec.name}, SHA-256 {weights.sha256[:8]}... as published"
    return Check(name=name, state=OK, found=found)


def _check_downloads(name: str) -> Check:
    """Check where the weights of Keras's own networks go."""
    home = keras_models_dir().parent
    check = _check_folder(name, home, flag="KERAS_HOME")
    if check.state == ERROR:  # the embedded backbone needs no download
        return replace(check, state=WARNING)
    for folder in (home, keras_models_dir()):
        if os.name == "posix" and folder.is_dir() and folder.stat().st_mode & stat.S_IWOTH:
            return Check(
                name=name,
                state=WARNING,
                found=f"{folder} can be written by every user, who could exchange the weights",
                advice=f"Run: chmod o-w {shlex.quote(str(folder))}",
            )
    return check


def _check_packages(name: str, import_module: ImportModule) -> Check:
    found = [f"transfer-values {__version__}"]
    for package, module in PACKAGES.items():
        try:
            import_module(module)
            found.append(f"{package} {version(package)}")
        except Exception as exc:  # noqa: BLE001 - a broken library may raise anything
            return Check(
                name=name,
                state=ERROR,
                found=f"{package} does not load: {_describe(exc)}",
                advice=_reinstall(package),
            )
    return Check(name=name, state=OK, found=", ".join(found))


def _check_backend(name: str, import_module: ImportModule) -> Check:
    """Load Keras, which loads its backend."""
    keras = import_module("pipeline.backbones.quiet_keras").keras
    backend = keras.config.backend()
    backend_version = _short(import_module(backend).__version__)
    found = f"{backend} {backend_version}, Keras {_short(keras.__version__)}"
    return Check(name=name, state=OK, found=found)


def _check_devices(name: str, import_module: ImportModule) -> Check:
    n_cores, n_bytes = count_cores(), count_memory()
    parts = [f"{n_cores} CPU core{'s' if n_cores > 1 else ''}"]
    if n_bytes is not None:
        parts.append(f"{_gigabytes(n_bytes)} of memory")
    try:
        gpus = import_module("pipeline.backbones.keras_engine").list_gpus()
    except Exception:  # noqa: BLE001 - the backend's own line says why
        return Check(name=name, state=OK, found=", ".join([*parts, "GPUs unknown"]))
    found = ", ".join([*parts, ", ".join(gpus) or "no GPU"])
    if NVIDIA_DRIVER.exists() and not gpus:
        return Check(
            name=name,
            state=WARNING,
            found=f"{found} that Keras sees, although an NVIDIA driver is here",
            advice="Run: pip install 'transfer-values[gpu]'. Until then the CPU computes.",
        )
    return Check(name=name, state=OK, found=found)


def _check_precision(name: str) -> Check:
    default, fastest = ExtractConfig().precision, resolve_precision("auto")
    return Check(name=name, state=OK, found=f"{default}; --precision auto takes {fastest} here")


def _check_engine(name: str, import_module: ImportModule) -> Check:
    """Run the golden picture through an engine, where `extract` would run it."""
    spec = get_spec(GOLDEN_MODEL)
    started = time.perf_counter()
    engine = import_module("pipeline.backbones.engines").open_engine(
        Network.of(spec, resolve_weights(spec, ExtractConfig().weights)),
        batch_size=1,
        device="cpu" if name == "openvino" else "auto",
        engine=name,
    )
    values = engine.infer((golden_picture(spec.input_size)[np.newaxis],))[0]
    seconds = time.perf_counter() - started
    difference = compare_with_golden(values)
    what = f"{_short(engine.versions[name])} on {engine.device}"
    if not difference <= TOLERANCE:  # NaN neither
        return Check(
            name=name,
            state=ERROR,
            found=f"{what}: the network computes wrong values on this machine, off by"
            f" {difference:.0e} of their norm; up to {TOLERANCE:.0e} is right",
            advice=f"Extract nothing with it. {_advise_on_engines()}",
        )
    return Check(
        name=name,
        state=OK,
        found=f"{what}: right to within {difference:.0e}, {seconds:.1f} s",
    )


def compare_with_golden(values: NDArray[np.float32]) -> float:
    """Return how far the transfer values of `golden_picture` are from what they should be.

    Parameters
    ----------
    values : float32 ndarray of shape (1280,)

    Returns
    -------
    float
        Largest absolute difference over the golden values and the norm, in parts of the norm.
    """
    found = [*values[list(GOLDEN_VALUES)], np.linalg.norm(values)]
    expected = [*GOLDEN_VALUES.values(), GOLDEN_NORM]
    return float(np.abs(np.subtract(found, expected)).max() / GOLDEN_NORM)


def _short(version_text: str) -> str:
    """Return a version without the build that OpenVINO appends to it."""
    return version_text.partition("-")[0]


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB"

"""Which bytes a backbone's weights are: found, checked and hashed, without importing Keras.

`resolve_weights` never touches the network; `fetch_weights` downloads what is missing first.
Nothing is ever looked for in, or written to, the world-writable folder that Keras falls back to.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import filelock

from pipeline.backbones.pretrained import PretrainedFile
from pipeline.backbones.specs import BackboneSpec
from pipeline.download import download
from pipeline.errors import BackboneError, DownloadError, WeightsNotFoundError
from pipeline.records import OnProgress

RANDOM_SEED = 0
RANDOM_SHA256 = f"random:seed={RANDOM_SEED}"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK = 1 << 20
_OFFLINE_WAYS = (
    "What works now: --model efficientnet-lite0 brings its weights along, --weights random tries"
    " the run out with weights that know nothing."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """Weights that are on this machine and whose bytes are known.

    Attributes
    ----------
    kind : str
        "imagenet", "file" or "random".
    path : Path or None
        None for random weights.
    sha256 : str
        Of the file's bytes, in hexadecimal; for random weights a fixed text that names the seed.
    """

    kind: str
    path: Path | None
    sha256: str


def keras_models_dir() -> Path:
    """Return the folder of Keras's own downloads: `$KERAS_HOME/models`, or `~/.keras/models`."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".keras") / "models"


def resolve_weights(
    spec: BackboneSpec, weights: str, *, models_dir: Path | None = None
) -> WeightsFile:
    """Find a backbone's weights on this machine and make sure that they are whole.

    Parameters
    ----------
    spec : BackboneSpec
    weights : str
        `imagenet`, `random`, or the path of a weights file.
    models_dir : Path or None
        Where Keras's files lie; None is `keras_models_dir()`.

    Returns
    -------
    WeightsFile

    Raises
    ------
    WeightsNotFoundError
        When the file is not here.
    BackboneError
        When it is here and is cut off, altered, or of a kind that is never loaded.
    """
    if weights == "random":
        return WeightsFile(kind="random", path=None, sha256=RANDOM_SHA256)
    if weights != "imagenet":
        return _resolve_file(spec, Path(weights).expanduser())
    path = pretrained_path(spec, models_dir)
    if not path.is_file():
        raise _missing(spec, path)
    return WeightsFile(kind="imagenet", path=path, sha256=_verify(spec.pretrained, path))


def fetch_weights(
    spec: BackboneSpec,
    weights: str,
    *,
    models_dir: Path | None = None,
    on_progress: OnProgress | None = None,
) -> WeightsFile:
    """Do as `resolve_weights`, after downloading Keras's file if it is not here yet.

    Parameters
    ----------
    spec : BackboneSpec
    weights : str
        `imagenet`, `random`, or the path of a weights file.
    models_dir : Path or None
        Where Keras's files lie; None is `keras_models_dir()`.
    on_progress : callable or None
        Called with the bytes received and the bytes expected (0 if the server does not tell).

    Returns
    -------
    WeightsFile

    Raises
    ------
    WeightsNotFoundError
        When the file is not here and cannot be downloaded.
    BackboneError
        When it is here and is cut off, altered, or of a kind that is never loaded.
    """
    if weights == "imagenet" and spec.pretrained.package is None:
        path = pretrained_path(spec, models_dir)
        if not path.exists():
            _download(spec, path, on_progress)
    return resolve_weights(spec, weights, models_dir=models_dir)


def _download(spec: BackboneSpec, path: Path, on_progress: OnProgress | None) -> None:
    pretrained = spec.pretrained
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes must not append to one partial file; the second finds the work done.
        with filelock.FileLock(path.with_name(f".{path.name}.lock")):
            download(
                pretrained.url,
                path,
                size=None,
                digest=pretrained.digest,
                algorithm=pretrained.digest_name,
                check=_check_hdf5,
                on_progress=on_progress,
                advice=_describe_ways(spec, path),
            )
    except OSError as exc:
        raise WeightsNotFoundError(
            f"the ImageNet weights of {spec.name} cannot be kept: {path.parent} cannot be written"
            f" ({exc.strerror}). Set KERAS_HOME to a folder of your own and run the command again."
        ) from exc
    except DownloadError as exc:
        raise WeightsNotFoundError(
            f"the ImageNet weights of {spec.name} are not on this machine. {exc}"
        ) from exc
    except BackboneError as exc:
        raise WeightsNotFoundError(
            f"the ImageNet weights of {spec.name} are not on this machine, and what"
            f" {pretrained.url} gave is not a weights file: {exc}\n{_describe_ways(spec, path)}"
        ) from exc


def _describe_ways(spec: BackboneSpec, path: Path) -> str:
    """Return every way to go on without a download."""
    return (
        f"By hand: fetch {spec.pretrained.url} (about {spec.megabytes:.0f} MB) on a machine that"
        f" can, and put it at {path}. {_OFFLINE_WAYS}"
    )


def _missing(spec: BackboneSpec, path: Path) -> WeightsNotFoundError:
    """Word what is missing and every way to go on."""
    pretrained = spec.pretrained
    if pretrained.package is not None:
        return WeightsNotFoundError(
            f"the ImageNet weights of {spec.name} come with the package {pretrained.package},"
            " which is not installed. Install it: pip install 'transfer-values[lite]'"
            f" ({pretrained.url})."
        )
    return WeightsNotFoundError(
        f"the ImageNet weights of {spec.name} are not on this machine. {_describe_ways(spec, path)}"
    )


def pretrained_path(spec: BackboneSpec, models_dir: Path | None = None) -> Path:
    """Return where the ImageNet weights lie or would lie."""
    pretrained = spec.pretrained
    if pretrained.package is None:
        return (models_dir or keras_models_dir()) / pretrained.name
    # The package is found, not imported: its code is not needed to read its file.
    package = importlib.util.find_spec(pretrained.package)
    folders = package.submodule_search_locations if package is not None else None
    return Path(next(iter(folders or [""]))) / "models" / pretrained.name


def _verify(pretrained: PretrainedFile, path: Path) -> str:
    """Return the SHA-256 of a published file, or refuse it."""
    if path.suffix != ".pth":
        _check_hdf5(path)
    digests = _hash_file(path)
    found = digests[pretrained.digest_name]
    if pretrained.digest is not None and found != pretrained.digest:
        package = (pretrained.package or "").replace("_", "-")
        advice = (
            f"Run: pip install --force-reinstall {package}"
            if package
            else "Delete it and run the command again."
        )
        raise BackboneError(
            f"{path} is not the published file: its {pretrained.digest_name} is {found}, expected"
            f" {pretrained.digest}. {advice}"
        )
    return digests["sha256"]


def _hash_file(path: Path) -> dict[str, str]:
    """Return a file's MD5, which Keras publishes, and its SHA-256, which a recipe stores."""
    digests = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                for digest in digests.values():
                    digest.update(chunk)
    except OSError as exc:
        raise BackboneError(f"{path} cannot be read: {exc.strerror}.") from exc
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _check_hdf5(path: Path) -> None:
    """Refuse a file that is not HDF5, or is shorter than its own header says.

    The header ("superblock") holds the end-of-file address: at byte 40 in versions 0 and 1 (44
    in 1), at byte 28 in versions 2 and 3, for the 8-byte offsets that every writer uses. MobileNet
    and MobileNetV2 have no published hash, so this is what finds a download that was cut off.

    References
    ----------
    HDF5 File Format Specification 3.0, section II.A.
    """
    try:
        with path.open("rb") as file:
            header = file.read(56)
        size = path.stat().st_size
    except OSError as exc:
        raise BackboneError(f"{path} cannot be read: {exc.strerror}.") from exc
    if header[:8] != _HDF5_SIGNATURE:
        raise BackboneError(
            f"{path} is not an HDF5 file, expected Keras weights; it begins with {header[:16]!r}."
            " Delete it and run the command again."
        )
    version = header[8] if len(header) > 8 else 0
    start = {0: 40, 1: 44}.get(version, 28)
    end_of_file = int.from_bytes(header[start : start + 8], "little")
    if size < max(end_of_file, 56):
        raise BackboneError(
            f"{path} is cut off: it has {size} bytes, its header says {end_of_file}. Delete it and"
            " run the command again."
        )


def _resolve_file(spec: BackboneSpec, path: Path) -> WeightsFile:
    """Accept a user's own weights file by its name, and hash it; it is opened when it is loaded."""
    if path.is_dir() or path.suffix in (".keras", ".pb", ".zip"):
        raise BackboneError(
            f"--weights {path} is a whole saved model, which may contain code and is never loaded."
            " Save its backbone's weights instead: backbone.save_weights('backbone.weights.h5')."
        )
    if not path.is_file():
        raise WeightsNotFoundError(
            f"--weights {path} is not there. Expected: imagenet, random, or the path of a weights"
            " file (.h5)."
        )
    if path.suffix == ".pth" and spec.is_lite:
        return WeightsFile(kind="file", path=path, sha256=_hash_file(path)["sha256"])
    if path.suffix != ".h5":
        accepted = ".h5 or .pth" if spec.is_lite else ".h5"
        raise BackboneError(
            f"--weights {path} has the ending {path.suffix!r}; {spec.name} takes {accepted}."
        )
    _check_hdf5(path)
    return WeightsFile(kind="file", path=path, sha256=_hash_file(path)["sha256"])

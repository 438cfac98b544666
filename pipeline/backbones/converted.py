"""Networks in OpenVINO's own format: found and kept on the disk, without importing Keras.

One folder holds network.xml, network.bin and network.json. The last one is written last and says
which network it is, which libraries converted it and what the other two must hash to: whatever
does not fit is converted anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.backbones.network import Network
from pipeline.durable import (
    make_folder,
    partial_path,
    replace_folder,
    sync_tree,
    write_file,
)
from pipeline.machine import find_version

FORMAT = "transfer-values network"
FORMAT_VERSION = 1
_FOLDER = "networks"
_DESCRIPTION = "network.json"
_OURS = ("transfer-values", "openvino")
_FILES = ("network.xml", "network.bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedNetwork:
    """A network that OpenVINO can read.

    Attributes
    ----------
    path : Path
        The .xml file; the .bin file lies beside it.
    network : Network
    widths : tuple of int
        See `Engine.widths`.
    versions : mapping of str to str
        Of Keras, which built it, and of the backend that it was converted through.
    """

    path: Path
    network: Network
    widths: tuple[int, ...]
    versions: Mapping[str, str]


def converted_path(cache_dir: Path, network: Network) -> Path:
    """Return the folder that a converted network is kept in."""
    return cache_dir / _FOLDER / f"{network.name}-{network.key[:8]}.openvino"


def find_converted(cache_dir: Path, network: Network) -> ConvertedNetwork | None:
    """Return a network that was kept, if it is whole and from the libraries that are here.

    Where Keras or its backend is not installed, any version will do: nothing else can convert.
    """
    folder = converted_path(cache_dir, network)
    try:
        about = json.loads((folder / _DESCRIPTION).read_bytes())
        is_ours = about["format"] == FORMAT and about["format_version"] == FORMAT_VERSION
        fits = is_ours and about["network"] == network.to_dict() and _are_here(about["versions"])
        if not fits or about["sha256"] != _hash_files(folder):
            return None
        return ConvertedNetwork(
            path=folder / _FILES[0],
            network=network,
            widths=tuple(map(int, about["widths"])),
            versions={n: v for n, v in about["versions"].items() if n not in _OURS},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def list_partial(cache_dir: Path) -> list[Path]:
    """Return the folders in which networks are being converted, or were when a run was killed.

    None if what they lie in is a link.
    """
    folder = cache_dir / _FOLDER
    found = () if folder.is_symlink() else folder.glob(".*.openvino.*.partial")
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


@contextmanager
def building_folder(cache_dir: Path | None, network: Network) -> Iterator[Path]:
    """Make a folder to convert a network in, which is deleted unless it is kept.

    It lies where the network is to be kept, or among the system's temporary files if there is no
    cache or it cannot be written.
    """
    if cache_dir is not None:
        folder = partial_path(converted_path(cache_dir, network))
        try:
            make_folder(folder)
        except OSError:
            pass
        else:
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return
    with tempfile.TemporaryDirectory(
        prefix="transfer-values-",
        ignore_cleanup_errors=True,  # Windows does not delete what OpenVINO still has in memory
    ) as name:
        yield Path(name)


def keep(converted: ConvertedNetwork, cache_dir: Path) -> None:
    """Put a network that lies in a `building_folder` in its place, flushed.

    If somebody else did the same meanwhile, theirs stays, for it may be being read. Where it
    fails, since the disk is full, nothing is kept.
    """
    if find_converted(cache_dir, converted.network) is not None:
        return
    folder, target = converted.path.parent, converted_path(cache_dir, converted.network)
    about: Mapping[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "network": converted.network.to_dict(),
        "widths": converted.widths,
        "versions": {
            **converted.versions,
            "transfer-values": __version__,
            "openvino": find_version("openvino"),
        },
        "sha256": _hash_files(folder),
    }
    with suppress(OSError):
        write_file(folder / _DESCRIPTION, json.dumps(about, indent=2).encode() + b"\n")
        sync_tree(folder)
        replace_folder(folder, target)


def _hash_files(folder: Path) -> dict[str, str]:
    digests = {}
    for name in _FILES:
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _are_here(versions: Mapping[str, str]) -> bool:
    """Tell whether a network was converted by the libraries that are installed."""
    here = {"transfer-values": __version__, "openvino": find_version("openvino")}
    others = versions.keys() - here.keys()
    return all(versions[name] == here[name] for name in here) and all(
        find_version(name) in (None, versions[name]) for name in others
    )

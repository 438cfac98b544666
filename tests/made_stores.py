"""Stores that were never extracted: the values of an image follow from its content alone."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import StoreWriter, create_store, layout, store_path, write_skipped
from pipeline.records import BackboneRecipe, Manifest, Recipe, Split, Status

WIDTH = 5
PATHS = tuple(f"{'cat' if i < 6 else 'dog'}/{i:02}.jpg" for i in range(12))


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of four rows."""
    monkeypatch.setattr(layout, "block_length", lambda row_bytes: 4)


def values_of(contents, width=WIDTH):
    seeds = [int.from_bytes(hashlib.sha256(str(c).encode()).digest()[:4]) for c in contents]
    rows = [np.random.default_rng(seed).random(width, np.float32) for seed in seeds]
    return np.array(rows, np.float32).reshape(-1, width)


def make_manifest(contents, *, dataset="pets", root="/photos", labels=None, split=Split.NONE):
    """`contents` maps paths to what is in them; None could not be read."""
    paths = tuple(contents)
    names = [(labels or {}).get(path, path.split("/")[0]) for path in paths]
    class_names = tuple(sorted(set(names)))
    digests = [
        bytes(32) if c is None else hashlib.sha256(str(c).encode()).digest()
        for c in contents.values()
    ]
    return Manifest(
        name=dataset,
        root=Path(root),
        paths=paths,
        labels=np.array([class_names.index(name) for name in names], np.int32),
        class_names=class_names,
        split=np.full(len(paths), split, np.uint8),
        group=np.full(len(paths), -1, np.int32),
        group_names=(),
        size=np.ones(len(paths), np.int64),
        sha256=np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32),
    )


def make_recipe(manifest, **changes):
    """A recipe of one backbone; changes may name its fields, too."""
    backbone = {
        "model": "efficientnet-lite0",
        "weights_sha256": "0" * 64,
        "layers": (),
        "input_size": 224,
        "resize": "crop",
        "crop_fraction": 1.0,
        "interpolation": "bicubic",
        "preprocessing": "lite",
    }
    fields = {
        "manifest_digest": manifest.digest,
        "pooling": "avg",
        "precision": "float32",
        "decoder": "fake",
    }
    for name, value in changes.items():
        (backbone if name in backbone else fields)[name] = value
    return Recipe(backbones=(BackboneRecipe(**backbone),), **fields)


def write_block(writer, rows, values, status=None, oddities=None):
    """Write and commit one block of a store; all is well with its rows, unless it is said."""
    status = np.zeros(len(rows), np.uint8) if status is None else status
    oddities = np.zeros(len(rows), np.uint16) if oddities is None else oddities
    writer.commit(writer.seal(rows, values, status, oddities))


def make_store(
    cache_dir,
    contents=None,
    *,
    blocks=None,
    bad=(),
    tweak=None,
    settings=None,
    versions=None,
    at=None,
    recipe=None,
    width=WIDTH,
    oddities=None,
    **manifest_fields,
):
    """Make a store, of which only `blocks` are filled, with the `bad` paths not decoded.

    `tweak` takes the values of all rows and returns others; `at` is where to make it.
    """
    contents = dict.fromkeys(PATHS, None) if contents is None else contents
    if all(content is None for content in contents.values()):
        contents = {path: path for path in contents}
    manifest = make_manifest(contents, **manifest_fields)
    recipe = make_recipe(manifest, **(recipe or {}))
    path = at or store_path(cache_dir, manifest.name, recipe)
    provenance = {
        "versions": versions or {"keras": "1"},
        "engine": "fake",
        "device": "cpu",
        "batch_size": 4,
        "settings": {"dataset": manifest.name, "model": recipe.model, **(settings or {})},
    }
    create_store(path, manifest, recipe, width=width, provenance=provenance)
    writer = StoreWriter(path, recipe)
    values = values_of(contents.values(), width)
    values = tweak(values) if tweak else values
    status = np.array(
        [
            Status.UNREADABLE if c is None else Status.CORRUPT if p in bad else Status.OK
            for p, c in contents.items()
        ],
        np.uint8,
    )
    odd = np.zeros(len(contents), np.uint16) if oddities is None else oddities
    for rows in writer.pending[:blocks]:
        write_block(writer, rows, values[rows], status[rows], odd[rows])
    if blocks is None:
        write_skipped(path, manifest.paths, status)
        writer.finish()
    return path


def flip_a_byte(store, part="features/c/0/0"):
    file = store / part
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)

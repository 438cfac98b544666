"""Real stores and fits to export, and how a photo is read by who has only Pillow and NumPy."""

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.cli.steps import open_engine
from pipeline.config import ExtractConfig, FitConfig
from pipeline.extraction.preparing import prepare
from pipeline.predicting.settling import settle_fit
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit
from pipeline.stages.report import find_fit

EARLY = "stem_activation"
"""A layer so early that networks up to it are written in a second or two."""


def extract_small(photos, cache_dir, **settings):
    """Return the store of a folder's photos: random weights, 32 pixels, a few layers."""
    config = ExtractConfig(
        **{
            "dataset": str(photos),
            "cache_dir": cache_dir,
            "weights": "random",
            "image_size": 32,
            "layers": (EARLY,),
            **settings,
        }
    )
    return extract(prepare(config), open_engine).store


def settle(store, **settings):
    """Return what answers by a fit on a store."""
    config = FitConfig(**settings)
    made = find_fit(store, config) or fit(store, config)
    return settle_fit(made.folder, cache_dir=store.parent.parent)


def read_photo(path: Path) -> np.ndarray:
    """Return a photo as uint8 (1, H, W, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))[None]

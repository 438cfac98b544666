"""Fits on mean colours: the network is named in the recipe and never opened."""

from pathlib import Path

from pipeline.config import ExtractConfig, FitConfig
from pipeline.extraction.preparing import prepare
from pipeline.predicting.settling import Predictor, settle_fit
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit
from tests.conftest import TINTS, MeanColourEngine, save_photo


def save_photos(root: Path) -> Path:
    """Twelve photos of each of three colours."""
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            save_photo(root / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    return root


def extract_photos(folder: Path, **options) -> Path:
    """Extract the photos in `folder / "photos"` into `folder / "cache"`; return the store."""
    settings = {
        "dataset": str(folder / "photos"),
        "image_size": 32,
        "weights": "random",
        "cache_dir": folder / "cache",
        **options,
    }
    job = prepare(ExtractConfig(**settings))
    extract(job, open_fake)
    return job.store


def open_fake(job, **options):
    """Open the network that computes mean colours."""
    return MeanColourEngine()


def make_fit(folder: Path, clf: str = "logreg", **options) -> Path:
    """Extract and fit; return the folder of the fit."""
    store = extract_photos(folder, **options)
    result = fit(store, FitConfig(clf=clf, tune=False))
    assert result.folder is not None
    return result.folder


def settle(folder: Path, **options) -> Predictor:
    """Read a fit back."""
    return settle_fit(folder, **{"cache_dir": folder.parents[2], **options})

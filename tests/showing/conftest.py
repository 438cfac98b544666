"""Real stores and fits of generated photos, whose transfer values are mean colours."""

from pathlib import Path

import pytest

from pipeline.config import ExtractConfig, FitConfig
from pipeline.extraction.preparing import prepare
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit
from tests.conftest import TINTS, MeanColourEngine, save_photo


@pytest.fixture
def fitted(tmp_path: Path) -> Path:
    """The folder of a fit on 56 photos of three colours, eight of which are in a wrong folder."""
    root = tmp_path / "photos"
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(16):
            save_photo(root / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    for i in range(8):
        save_photo(root / "red" / f"odd{i}.jpg", seed=900 + i, tint=TINTS["blue"])
    (root / "red" / "bad.jpg").write_text("not an image")
    return fit_photos(root, tmp_path / "cache")


def fit_photos(root: Path, cache_dir: Path, **settings) -> Path:
    config = ExtractConfig(dataset=str(root), cache_dir=cache_dir, image_size=32)
    store = extract(prepare(config), lambda job: MeanColourEngine()).store
    folder = fit(store, FitConfig(**{"test_size": 0.5, **settings})).folder
    assert folder is not None
    return folder

"""Canary rows of several backbones: each is looked at by itself."""

import numpy as np
import pytest

from pipeline.config import ExtractConfig
from pipeline.extraction.preparing import prepare
from pipeline.stages.extract import extract
from tests.conftest import MeanColourEngine, save_photo


class TwoParts(MeanColourEngine):
    """Large values of one backbone beside small ones of another."""

    width = 6
    widths = (3, 3)

    def __init__(self, version, *, turned=False):
        super().__init__()
        self.versions = {"fake": version}
        self.turned = turned

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            small = values[:, ::-1] if self.turned else values
            yield np.hstack([1000 * values, small])


@pytest.mark.parametrize("turned", [False, True])
def test_the_large_values_of_one_backbone_do_not_hide_another(photos, tmp_path, turned):
    config = ExtractConfig(
        dataset=str(photos), image_size=32, weights="random", cache_dir=tmp_path / "cache"
    )
    extract(prepare(config), lambda job: TwoParts("1"))
    save_photo(photos / "red" / "new.jpg", seed=1000, tint=(180, 0, 0))
    notes = []
    done = extract(prepare(config), lambda job: TwoParts("2", turned=turned), on_note=notes.append)
    # Rows of the old store are copied only if both parts agree.
    assert done.n_copied == (0 if turned else 36)
    assert any("Nothing is copied" in note for note in notes) == turned

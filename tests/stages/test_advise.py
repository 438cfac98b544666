from dataclasses import replace

import numpy as np
import pytest

from pipeline import cache
from pipeline.advising.keeping import find_probed
from pipeline.config import AdviseConfig, ExtractConfig, FitConfig
from pipeline.errors import PipelineError
from pipeline.extraction.preparing import prepare
from pipeline.records import Probed
from pipeline.splits import split_rows
from pipeline.stages import advise as advise_stage
from pipeline.stages.advise import probe
from pipeline.stages.extract import extract
from tests.conftest import MeanColourEngine


class NoisyEngine(MeanColourEngine):
    """What an earlier layer gives: the same colours, hardly to be seen."""

    def infer_many(self, batches):
        rng = np.random.default_rng(5)
        for values in super().infer_many(batches):
            yield values + rng.normal(scale=3, size=values.shape).astype(np.float32)


class Engines:
    """Opens an engine for each layer, and remembers for which jobs."""

    def __init__(self):
        self.late, self.early = MeanColourEngine(), NoisyEngine()
        self.layers = []

    def __call__(self, job):
        layers = job.network.parts[0].layers
        self.layers.append(layers)
        return self.early if layers else self.late


@pytest.fixture
def engines():
    return Engines()


@pytest.fixture
def job(photos, tmp_path):
    return prepare(
        ExtractConfig(
            dataset=str(photos), image_size=32, weights="random", cache_dir=tmp_path / "cache"
        )
    )


def test_both_layers_are_tried_on_training_images_alone(job, engines):
    counts, probed = probe(job, AdviseConfig(), engines)
    assert engines.layers == [(), ("block6a_expand_activation",)]
    assert (counts.n_images, counts.n_classes) == (36, 3)
    assert probed.n_images == probed.n_wanted == counts.n_train == engines.late.n_images
    assert counts.n_train < 36
    assert probed.late.accuracy == 1 > probed.early.accuracy
    assert not probed.was_cut


def test_the_images_that_fit_tests_on_are_not_looked_at(job, engines, monkeypatch):
    seen = []
    compute = advise_stage.compute_values

    def spy(job, images, *args, **kwargs):
        seen.extend(images)
        return compute(job, images, *args, **kwargs)

    monkeypatch.setattr(advise_stage, "compute_values", spy)
    probe(job, AdviseConfig(), engines)
    extraction = extract(job, lambda job: MeanColourEngine())
    table = cache.read_features(extraction.store)
    test = split_rows(table, config=FitConfig()).test
    tested = {job.manifest.root / table.paths[row] for row in test}
    assert tested
    assert not tested & set(seen)


def test_nothing_is_computed_that_a_store_has(job, engines):
    extract(job, lambda job: MeanColourEngine())
    _, probed = probe(job, AdviseConfig(), engines)
    assert engines.layers == [("block6a_expand_activation",)]
    assert probed.late.accuracy == 1


def test_what_was_found_is_kept_and_no_store_is_made(job, engines):
    found = probe(job, AdviseConfig(), engines)
    assert find_probed(job.store, AdviseConfig()) == found
    assert [path.name for path in job.store.parent.iterdir() if path.suffix == ".zarr"] == []


def test_at_most_so_many_images_are_tried(job, engines):
    _, probed = probe(job, AdviseConfig(limit=15), engines)
    assert probed.n_images == probed.n_wanted == 15


def test_images_that_cannot_be_used_are_left_out(job, engines):
    for path in job.manifest.paths[::6]:
        (job.manifest.root / path).write_bytes(b"no image")
    _, probed = probe(job, AdviseConfig(), engines)
    assert 20 < probed.n_images < probed.n_wanted
    assert not probed.was_cut
    assert probed.late.accuracy == 1


def test_when_the_time_is_over_what_is_there_is_used(photos, job, engines, monkeypatch):
    clock = iter(np.arange(0, 1e6, 40.0))  # each look at it takes 40 s
    monkeypatch.setattr(advise_stage.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("pipeline.predicting.computing.ROWS_A_TURN", 4)
    _, probed = probe(job, AdviseConfig(max_time=300), engines)
    assert probed.was_cut
    assert 4 <= probed.n_images < probed.n_wanted
    assert find_probed(job.store, AdviseConfig(max_time=301)) is None


def test_images_of_one_class_are_refused(photos, tmp_path, engines):
    config = ExtractConfig(
        dataset=str(photos / "red"), image_size=32, weights="random", cache_dir=tmp_path / "cache"
    )
    with pytest.raises(PipelineError):
        probe(prepare(config), AdviseConfig(), engines)


def test_settings_are_checked():
    for changes in ({"limit": 0}, {"max_time": 0.0}, {"seed": -1}):
        with pytest.raises(PipelineError):
            replace(AdviseConfig(), **changes)


def test_it_goes_through_json():
    fields = {
        "n_images": 3,
        "n_wanted": 4,
        "most_frequent": 0.5,
        "late": None,
        "early": None,
        "difference": None,
        "was_cut": False,
    }
    assert Probed.from_dict(Probed(**fields).to_dict()) == Probed(**fields)

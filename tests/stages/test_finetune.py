"""Training for real: EfficientNet-Lite0 with random weights, on photos of 32 by 32 pixels."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from pipeline.backbones.headless import build_bare
from pipeline.backbones.keras_engine import KerasEngine
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.cache import read_samples
from pipeline.config import ExtractConfig, FinetuneConfig, FitConfig
from pipeline.errors import CacheLockedError, ClassifierError, ConfigError
from pipeline.extraction.preparing import prepare
from pipeline.finetuning import sources
from pipeline.finetuning.holding_out import hold_out
from pipeline.finetuning.origin import find_origin
from pipeline.finetuning.sources import KeptMaps
from pipeline.records import Split
from pipeline.showing.evidence import read_evidence
from pipeline.showing.tuning import draw_training
from pipeline.splits import split_rows
from pipeline.stages import plan_finetuning
from pipeline.stages.extract import extract
from pipeline.stages.finetune import finetune
from pipeline.stages.fit import fit
from pipeline.stages.plan_finetuning import check_split, plan
from pipeline.tuned import (
    lock_tuned,
    read_image_uses,
    save_state,
    settings_of_tuning,
    tuned_path,
    weights_path,
    work_path,
)
from tests.backbones.conftest import KERAS_READS_A_VARIABLE
from tests.conftest import REPOSITORY, TINTS, save_photo

pytestmark = pytest.mark.filterwarnings(KERAS_READS_A_VARIABLE)

SPEC = get_spec("efficientnet-lite0")
SPLIT = FitConfig(C=1.0)
SAME = {"optimizer": "sgd", "learning_rate": 0.05, "dropout": 0.0, "epochs": 2, "batch_size": 8}


def open_engine(job):
    return KerasEngine(job.network, batch_size=16, device="cpu", precision="float32")


def settle(folder, **changes):
    settings = {"image_size": 32, "weights": "random", "cache_dir": folder / "cache"}
    return ExtractConfig(dataset=str(folder / "photos"), **{**settings, **changes})


def run(folder, config, *, split=SPLIT, on_epoch=None, **changes):
    job = prepare(settle(folder, **changes))
    planned = plan(job, config)
    store = extract(prepare(planned.extraction), open_engine).store
    target = tuned_path(job.store, key=job.recipe.key, settings=settings_of_tuning(config, split))
    tuned = finetune(job, planned, store, target, config, split, on_epoch=on_epoch)
    return target, tuned, store


def weights_of(folder):
    loaded = resolve_weights(SPEC, str(weights_path(folder)))
    model = build_bare(SPEC, loaded, image_size=32)
    return {
        f"{layer.name}/{variable.name}": np.array(variable)
        for layer in model.layers
        for variable in layer.weights
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetune")
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            path = folder / "photos" / name / f"{i:02}.jpg"
            save_photo(path, seed=100 * k + i, tint=tint)
    return folder


@pytest.fixture(scope="module")
def cached(place):
    return run(place, FinetuneConfig(**SAME))


@pytest.fixture(scope="module")
def uncached(place):
    return run(place, FinetuneConfig(**SAME, cache_frozen=False))


@pytest.fixture(scope="module")
def fitted(place, cached):
    """A fit on the values of the tuned network."""
    folder, _, _ = cached
    store = extract(prepare(settle(place, weights=str(weights_path(folder)))), open_engine).store
    return store, fit(store, SPLIT)


class TestFinetune:
    def test_cached_and_not_it_makes_the_same_weights(self, cached, uncached):
        (folder, tuned, store), (other, whole, _) = cached, uncached
        assert tuned.cut == ("block6d_add",)
        assert whole.cut == ()
        assert read_samples(store).n_features == 192
        a, b, start = weights_of(folder), weights_of(other), start_weights()
        assert max(np.abs(a[name] - b[name]).max() for name in a) < 1e-4
        moved = {name.split("/")[0] for name in a if not np.array_equal(a[name], start[name])}
        assert moved == {layer.name for layer in tuned.layers if layer.trains} - {"logits"}
        assert tuned.accuracy == whole.accuracy
        for one, two in zip(tuned.history, whole.history, strict=True):
            assert one.loss == pytest.approx(two.loss, abs=1e-3)

    def test_it_tests_on_the_rows_that_fit_tests_on_and_on_none_it_has_seen(self, cached):
        folder, tuned, store = cached
        table = read_samples(store)
        part = split_rows(table, config=SPLIT)
        uses = read_image_uses(folder)
        found = [uses[row.tobytes()] for row in table.sha256]
        assert [row for row, use in enumerate(found) if use == "test"] == part.test.tolist()
        counts = (found.count("train"), found.count("validation"), found.count("test"))
        assert counts == (tuned.n_train, tuned.n_validation, tuned.n_test)
        assert sum(counts) == 36
        assert {found[row] for row in part.train} == {"train", "validation"}

    def test_what_is_there_is_not_made_again(self, place, cached):
        folder, tuned, _ = cached
        again, found, _ = run(
            place, FinetuneConfig(**SAME), on_epoch=lambda history: pytest.fail("trained again")
        )
        assert (again, found) == (folder, tuned)
        assert not work_path(folder).exists()

    def test_values_of_the_tuned_network_are_extracted_and_fitted(self, cached, fitted):
        folder, tuned, _ = cached
        store, result = fitted
        (backbone,) = read_samples(store).recipe["backbones"]
        assert backbone["weights_sha256"] == tuned.weights_sha256
        assert find_origin(store, read_samples(store).recipe) == folder
        assert any("none of the 6 test images" in note for note in result.report.notes)

    def test_a_fit_that_tests_on_images_the_network_has_seen_says_so(self, fitted):
        store, _ = fitted
        notes = fit(store, replace(SPLIT, seed=1)).report.notes
        assert any("among those that the network was trained on" in note for note in notes)

    def test_one_on_weights_whose_origin_is_gone_says_that_nobody_knows(
        self, cached, fitted, tmp_path
    ):
        (folder, _, _), (store, _) = cached, fitted
        elsewhere = tmp_path / "cache" / "photos" / store.name  # no other training lies there
        shutil.copytree(store, elsewhere)
        away = folder.with_name("away")
        folder.rename(away)
        try:
            notes = fit(elsewhere, replace(SPLIT, C=2.0)).report.notes
        finally:
            away.rename(folder)
        assert "weights.weights.h5, and which images they were trained on is not" in " ".join(notes)

    def test_what_was_kept_and_cannot_be_gone_on_from_is_told(self, place, cached):
        config, said = FinetuneConfig(**{**SAME, "epochs": 1}), []
        job = prepare(settle(place))
        planned = plan(job, config)
        settings = settings_of_tuning(config, SPLIT)
        target = tuned_path(job.store, key=job.recipe.key, settings=settings)
        arrays, epoch = [np.zeros(1)], cached[1].history[0]
        save_state(work_path(target), {"versions": "older"}, [epoch], arrays, is_best=True)
        store = extract(prepare(planned.extraction), open_engine).store
        finetune(job, planned, store, target, config, SPLIT, on_note=said.append)
        assert len(said) == 1
        assert "after epoch 1 is damaged, or by other versions" in said[0]

    def test_its_curves_are_drawn_for_the_page_of_the_fit(self, fitted):
        _, result = fitted
        drawn = draw_training(read_evidence(result.folder))
        assert list(drawn) == ["finetuning"]
        assert "the layers from block7a_expand_conv on" in drawn["finetuning"][1]
        assert "validation images right" in drawn["finetuning"][1]

    def test_a_fit_on_other_weights_has_none(self, place, uncached):
        store = extract(prepare(settle(place)), open_engine).store
        result = fit(store, SPLIT)
        assert not any("network was trained" in note for note in result.report.notes)
        assert draw_training(read_evidence(result.folder)) == {}

    def test_validation_images_that_the_data_set_names_are_taken(self, cached, monkeypatch):
        _, _, store = cached
        table = read_samples(store)
        split = np.full(36, Split.TRAIN, np.uint8)
        split[::6], split[1::6] = Split.VAL, Split.TEST
        table = replace(table, split=split)
        part = split_rows(table, config=SPLIT)
        rows = hold_out(table, part, validation_size=0.1, seed=42)
        assert rows["validation"].tolist() == list(range(0, 36, 6))
        assert not set(rows["train"]) & {*part.test, *rows["validation"]}

    def test_another_process_is_waited_for(self, place, cached):
        folder, _, _ = cached
        with lock_tuned(folder), pytest.raises(CacheLockedError):
            run(place, FinetuneConfig(**SAME))

    def test_what_cannot_be_cached_is_said_before_anything_is_done(self, place):
        job = prepare(settle(place))
        config = FinetuneConfig(unfreeze_from="0")
        planned = plan(job, config)
        assert planned.cut == ()
        assert "no layer before those that train" in planned.notes[0]
        with pytest.raises(ConfigError, match="--cache-frozen: no layer"):
            plan(job, replace(config, cache_frozen=True))

    def test_a_split_that_cannot_be_is_refused_before_anything_is_computed(self, place, tmp_path):
        job = prepare(settle(place))
        check_split(job, SPLIT)
        with pytest.raises(ConfigError, match="--group-by 'patient' matches none"):
            check_split(job, replace(SPLIT, group_by="patient"))
        save_photo(tmp_path / "photos" / "cat" / "1.jpg", seed=1)
        save_photo(tmp_path / "photos" / "cat" / "2.jpg", seed=2)
        with pytest.raises(ClassifierError, match="at least 2 classes"):
            check_split(prepare(settle(tmp_path)), SPLIT)

    def test_maps_that_do_not_fit_on_the_disk_are_not_kept(self, place, monkeypatch):
        usage = type("Usage", (), {"free": 1000})
        monkeypatch.setattr(plan_finetuning.shutil, "disk_usage", lambda path: usage)
        planned = plan(prepare(settle(place)), FinetuneConfig())
        assert planned.cut == ()
        assert "36 × 192 values would take" in planned.notes[0]

    def test_mirror_images_are_kept_as_a_second_view(self, place):
        planned = plan(prepare(settle(place)), FinetuneConfig(augment=("hflip",)))
        assert (planned.extraction.augment, planned.extraction.views) == ("hflip", 2)
        store = extract(prepare(planned.extraction), open_engine).store
        maps = KeptMaps(store, ((1, 1, 192),), n_views=2, in_memory=True)
        rows = np.array([3, 30, 3])
        (x,) = maps.take(rows, np.array([0, 1, 1]))
        assert x.shape == (3, 1, 1, 192)
        assert not np.array_equal(x[0], x[2])


class TestKeptMaps:
    def test_block_by_block_they_are_what_they_are_in_memory(self, cached):
        _, _, store = cached
        at_once, by_block = (
            KeptMaps(store, ((1, 1, 192),), n_views=1, in_memory=held) for held in (True, False)
        )
        rows, view = np.array([35, 0, 17]), np.zeros(3, np.intp)
        np.testing.assert_array_equal(at_once.take(rows, view)[0], by_block.take(rows, view)[0])
        assert len(at_once.pools(np.arange(36))) == 1
        assert np.concatenate(by_block.pools(np.arange(36))).tolist() == list(range(36))
        assert by_block.blocks_at_once >= 2

    def test_maps_of_another_shape_are_refused(self, cached):
        _, _, store = cached
        with pytest.raises(sources.FinetuneError, match="192 values a row, expected 7"):
            KeptMaps(store, ((1, 7, 1),), n_views=1, in_memory=True)


def start_weights():
    model = build_bare(SPEC, resolve_weights(SPEC, "random"), image_size=32)
    return {
        f"{layer.name}/{variable.name}": np.array(variable)
        for layer in model.layers
        for variable in layer.weights
    }


NO_TENSORFLOW = """
import sys, time
from pipeline.cli import main
started = time.perf_counter()
sys.argv = ["pipeline", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    code = end.code or 0
print("heavy:", sorted({"tensorflow", "keras"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
class TestCommand:
    def words(self, folder):
        return (
            *("finetune", "--dataset", str(folder / "photos"), "--image-size", "32"),
            *("--weights", "random", "--cache-dir", str(folder / "command"), "--no-tune"),
            *("--epochs", "6", "--patience", "never", "--json", "--no-html"),
        )

    def start(self, folder, log):
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *self.words(folder)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    def test_killed_it_goes_on_and_done_it_does_nothing(self, place, tmp_path):
        log = tmp_path / "log"
        with log.open("wb") as file:
            process = self.start(place, file)
            while b"Epoch 2 of 6" not in log.read_bytes():
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        with log.open("wb") as file:
            out, _ = self.start(place, file).communicate()
        assert b"Epoch 1 of 6" not in log.read_bytes()
        found = json.loads(out)
        assert len(found["history"]) == 6
        assert found["fits"][0]["n_test"] == found["n_test"] == 6
        again = subprocess.run(
            [sys.executable, "-c", NO_TENSORFLOW, *self.words(place)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Already trained" in again.stderr
        assert "heavy: []" in again.stderr
        assert json.loads(again.stdout)["weights_sha256"] == found["weights_sha256"]

"""What happens to a fit when it is killed, when the disk fails, and when the data are odd."""

import csv
import errno
import io
import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import zarr
from rich.console import Console

from pipeline import artifacts, cache
from pipeline.artifacts import description
from pipeline.backbones.engines import open_engine
from pipeline.backbones.network import Network
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.cache import layout
from pipeline.classifiers import class_scores
from pipeline.config import CLASSIFIERS, ExtractConfig, FitConfig
from pipeline.errors import CacheError, ClassifierNotFoundError, FeatureMismatchError
from pipeline.extraction.preparing import prepare
from pipeline.predictions import parse_predictions
from pipeline.printing import render_report
from pipeline.records import Status
from pipeline.stages import fit as fit_stage
from pipeline.stages import report as report_stage
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit, fit_table
from pipeline.stages.report import report
from tests.conftest import MeanColourEngine, save_photo
from tests.faults.harness import count_steps, files_of, kill_at, lose_power
from tests.feature_tables import make_table, serve_table


def extract_with(engine, dataset, tmp_path) -> Path:
    config = ExtractConfig(
        dataset=str(dataset), image_size=32, weights="random", cache_dir=tmp_path / "cache"
    )
    return extract(prepare(config), lambda job: engine).store


class Clock(datetime):
    year_now = 2024

    @classmethod
    def now(cls, tz=None):
        return datetime(cls.year_now, 1, 1, tzinfo=tz)


@pytest.fixture
def fit_once_more(tmp_path, monkeypatch):
    """Return a function that writes the same fit each time, without computing it again."""
    table, config = make_table(), FitConfig()
    fitted = fit_table(table, config)
    info = SimpleNamespace(key=table.key, content_sha256=table.content_sha256, complete=True)
    serve_table(monkeypatch, table)
    monkeypatch.setattr(fit_stage, "fit_table", lambda *args, **options: fitted)
    monkeypatch.setattr(report_stage, "read_info", lambda store: info)
    monkeypatch.setattr(description, "datetime", Clock)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # it only costs time here
    store = tmp_path / "cache" / "clouds" / "fake.zarr"
    store.mkdir(parents=True)
    return lambda: fit(store, config).folder


def check_fits(cache_dir, *, known):
    """Read whatever fits there are; each is one of the `known`, file by file."""
    for folder in cache_dir.glob("*/*.fits/[!.]*"):
        assert files_of(folder) in known
    try:
        result = report(cache_dir)
    except ClassifierNotFoundError:
        assert not list(cache_dir.glob("*/*.fits/[!.]*"))
        return
    assert result.report.n_test == 12
    artifacts.verify_files(result.folder)
    artifacts.load_model(result.folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("power_cut", [False, True])
def test_fault_14_a_kill_at_any_step_of_fit_leaves_no_fit_or_a_whole_one(
    tmp_path, fit_once_more, monkeypatch, replaces, power_cut
):
    cache_dir, before = tmp_path / "cache", tmp_path / "before"
    known = []
    if replaces:
        monkeypatch.setattr(Clock, "year_now", 2023)
        known.append(files_of(fit_once_more()))
        monkeypatch.setattr(Clock, "year_now", 2024)
    shutil.copytree(cache_dir, before)
    steps = count_steps(fit_once_more)
    expected = files_of(cache_dir)
    known.append(files_of(report(cache_dir).folder))
    assert len(steps) > 15
    for number in range(len(steps)):
        shutil.rmtree(cache_dir)
        shutil.copytree(before, cache_dir)
        disk = kill_at(number, fit_once_more, cache_dir)
        if power_cut:
            lose_power(disk, cache_dir)
        check_fits(cache_dir, known=known)
        fit_once_more()
        assert files_of(cache_dir) == expected, (number, steps[number])


def test_fault_14_a_fit_that_fails_is_not_taken_for_an_older_one(fit_once_more, monkeypatch):
    made = fit_once_more()
    half = made.with_name(f".{made.name}.00000000.partial")
    made.rename(half)
    with pytest.raises(ClassifierNotFoundError):
        report(made.parents[2])
    assert report_stage.find_fit(made.parents[1] / "fake.zarr", FitConfig()) is None
    assert fit_once_more() == made
    assert not half.exists()


@pytest.mark.parametrize("part", ["features/c/1/0", "status/c/1", "commit/c/1/0", "labels/c/0"])
def test_fault_09_a_disk_that_fails_under_fit_is_named_with_array_and_block(
    photos, tmp_path, engine, monkeypatch, part
):
    monkeypatch.setattr(layout, "block_length", lambda row_bytes: 8)
    store = extract_with(engine, photos, tmp_path)
    fit(store, FitConfig())
    read = zarr.storage.LocalStore.get

    async def fail(self, key, *args, **options):
        if key == part:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return await read(self, key, *args, **options)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", fail)
    array = part.split("/")[0]
    block = r".*block 1\b" if array == "features" else ""
    with pytest.raises(CacheError, match=rf"{array}{block}") as caught:
        fit(store, FitConfig())
    assert os.strerror(errno.EIO) in str(caught.value)
    assert str(store) in str(caught.value)


class BadEngine(MeanColourEngine):
    """A network that gives values that are not finite for photographs of the brightest red."""

    def __init__(self, bad):
        super().__init__()
        self.bad = bad

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            values[values[:, 0] > 0.95, 1] = self.bad
            yield values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_fault_44_images_with_values_that_are_not_finite_never_reach_the_classifier(
    photos, tmp_path, bad
):
    for i in range(3):
        save_photo(photos / "red" / f"very {i}.jpg", seed=500 + i, tint=(255, 0, 0))
    store = extract_with(BadEngine(bad), photos, tmp_path)
    table = cache.read_features(store)
    assert np.isfinite(table.features).all()
    assert not [path for path in table.paths if "very" in path]
    result = fit(store, FitConfig()).report
    assert result.skipped == {Status.NOT_FINITE.reason: 3}
    assert (result.n_found, result.n_train + result.n_test) == (39, 36)


NUMBERS = (
    "0",
    "007",
    "1e3",
    "nan",
    "True",
    "NA",
    "null",
    "-1",
    "+1",
    "1.0",
    "inf",
    "1_000",
    "0x1F",
)


def write_table(path, rows):
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("path", "label"), *rows])
    else:
        lines = [json.dumps({"path": name, "label": label}) for name, label in rows]
        path.write_text("\n".join(lines))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ""])
def test_fault_48_names_that_look_like_numbers_stay_names_from_data_set_to_report(
    tmp_path, engine, suffix
):
    rows = [(f"{name}/{i}.jpg", name) for name in NUMBERS for i in range(3)]
    photos = tmp_path / "photos"
    for seed, (path, _) in enumerate(rows):
        save_photo(photos / path, seed=seed)
    dataset = photos
    if suffix:
        dataset = photos / f"table{suffix}"
        write_table(dataset, rows)
    made = fit(extract_with(engine, dataset, tmp_path), FitConfig(clf="knn"))
    found = report(tmp_path / "cache").report
    assert found == made.report
    assert set(found.class_names) == set(NUMBERS)
    assert [scores["name"] for scores in found.per_class] == list(found.class_names)
    content = (made.folder / "predictions.csv").read_bytes()
    frame = parse_predictions(content)
    assert set(frame["label"]) == set(NUMBERS)
    assert frame["label"].tolist() == [path.split("/")[0] for path in frame["path"]]
    plain = pd.read_csv(made.folder / "predictions.csv", dtype=str, keep_default_na=False)
    assert plain["label"].tolist() == frame["label"].tolist()
    assert set(frame["prediction"]) <= set(NUMBERS)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render_report(found, width=120))
    shown = {line.split()[0] for line in console.export_text().splitlines() if line.split()}
    assert shown >= set(NUMBERS)


def test_fault_50_copies_are_on_one_side_of_a_drawn_split(photos, tmp_path, engine):
    for path in sorted(photos.glob("*/*.jpg")):
        shutil.copyfile(path, path.with_name(f"copy of {path.name}"))
    made = fit(extract_with(engine, photos, tmp_path), FitConfig())
    tested = set(parse_predictions((made.folder / "predictions.csv").read_bytes())["path"])
    assert len(tested) >= 6
    assert tested == {path.replace("/", "/copy of ") for path in tested if "copy" not in path} | {
        path.replace("copy of ", "") for path in tested
    }
    assert not made.report.notes


def test_fault_50_copies_across_a_given_split_are_said(photos, tmp_path, engine):
    root = tmp_path / "given"
    for folder in photos.iterdir():
        for i in range(12):
            part = "test" if i < 3 else "train"
            (root / part / folder.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / f"{i:02}.jpg", root / part / folder.name / f"{i}.jpg")
    shutil.copyfile(root / "test" / "red" / "0.jpg", root / "train" / "red" / "copy.jpg")
    made = fit(extract_with(engine, root, tmp_path), FitConfig())
    assert made.report.n_test == 9
    (note,) = made.report.notes
    assert note.startswith("1 of the 9 test images have an exact copy among the training images")


@pytest.fixture(scope="module")
def lite0():
    """The embedded network in the engine that runs on every CPU, in batches of four."""
    spec = get_spec("efficientnet-lite0")
    network = Network.of(spec, resolve_weights(spec, "imagenet"))
    return open_engine(network, batch_size=4, device="cpu", engine="openvino")


@pytest.fixture(scope="module")
def images():
    """Forty pictures, darker and lighter: uint8 of shape (40, 224, 224, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, (40, 14, 14, 3), dtype=np.uint8)
    coarse[1::2] //= 4
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


KERAS_READS_A_VARIABLE = (
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.mark.filterwarnings(KERAS_READS_A_VARIABLE)
@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_fault_51_one_image_is_the_same_image_in_a_batch_bit_for_bit(lite0, images, tmp_path, clf):
    batches = [(images[start : start + 4],) for start in range(0, len(images), 4)]
    features = np.concatenate(list(lite0.infer_many(batches)))
    table = make_table(n_classes=2, features=features, labels=np.arange(40, dtype=np.int32) % 2)
    model = save_and_load(table, FitConfig(clf=clf), tmp_path)
    together = class_scores(model.classifier, features, n_classes=2)
    assert (together.argmax(axis=1) == table.labels).mean() > 0.9
    for number in (0, 1, 7, 39):
        values = lite0.infer((images[number : number + 1],))
        np.testing.assert_array_equal(values[0], features[number])
        alone = class_scores(model.classifier, values, n_classes=2)
        np.testing.assert_array_equal(alone[0], together[number])


def save_and_load(table, config, tmp_path):
    fitted = fit_table(table, config)
    folder = tmp_path / "cache" / "clouds" / "fake.fits" / config.clf
    artifacts.save_fit(
        folder,
        classifier=fitted.classifier,
        table=table,
        config=config,
        report=fitted.report,
        predictions=fitted.predictions,
    )
    return artifacts.load_model(folder)


@pytest.mark.parametrize("clf", CLASSIFIERS)
def test_fault_51_a_loaded_classifier_takes_no_row_and_one_row_and_no_other_width(clf, tmp_path):
    table = make_table()
    model = save_and_load(table, FitConfig(clf=clf), tmp_path)
    assert class_scores(model.classifier, table.features[:0], n_classes=3).shape == (0, 3)
    one = class_scores(model.classifier, table.features[:1], n_classes=3)
    assert one.shape == (1, 3)
    for width in (7, 9):
        with pytest.raises(FeatureMismatchError, match=rf"expected .*\(n, 8\), got \(1, {width}\)"):
            class_scores(model.classifier, np.zeros((1, width), np.float32), n_classes=3)

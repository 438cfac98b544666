"""The whole pipeline for real: the embedded network, and real photographs where there are any."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline import cache, commands
from pipeline.cache import layout
from pipeline.cli import app
from pipeline.cli.steps import open_engine
from pipeline.config import ExtractConfig
from pipeline.extraction.preparing import prepare
from pipeline.records import Split
from pipeline.stages.extract import extract
from tests.conftest import TINTS, save_photo
from tests.faults.harness import files_of
from tests.test_cli import ROOT, run
from tests.test_imports import loaded_by


def succeed(*words, cwd):
    done = run(*words, "--json", "--quiet", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """What `pipeline run` makes of the embedded model and data set."""
    folder = tmp_path_factory.mktemp("digits")
    return folder, succeed("run", cwd=folder)


class TestEmbeddedDefaults:
    def test_the_ten_digits_are_told_apart(self, digits):
        _, report = digits
        assert report["accuracy"] >= 0.96
        low, high = report["intervals"]["accuracy"]
        assert low < report["accuracy"] < high
        assert report["class_names"] == list("0123456789")
        assert report["n_train"] + report["n_test"] == 1797

    def test_the_printed_report_has_a_row_for_every_digit(self, digits):
        folder, report = digits
        printed = run("report", cwd=folder).stdout
        matrix = printed.split("Confusion matrix")[1].split("Classes")[0].splitlines()
        rows = {line.split()[0]: line.split()[1:-1] for line in matrix[3:] if line.strip()}
        shown = [[0 if n == "·" else int(n) for n in rows[name]] for name in "0123456789"]
        assert shown == report["confusion_matrix"]

    def test_running_it_again_computes_nothing(self, digits):
        folder, report = digits
        again = run("run", cwd=folder)
        assert "Already extracted" in again.stderr
        assert "Already fitted" in again.stderr
        assert f"{100 * report['accuracy']:.1f} %" in again.stdout

    @pytest.mark.parametrize("clf", ["svm", "linear-svm", "mlp", "knn"])
    def test_every_classifier_fits(self, digits, clf):
        folder, _ = digits
        report = succeed("fit", "--clf", clf, cwd=folder)
        assert report["clf"] == clf
        assert report["accuracy"] >= 0.9
        assert succeed("report", "--clf", clf, cwd=folder)["accuracy"] == report["accuracy"]

    def test_cross_validation_agrees_with_the_test_rows(self, digits):
        folder, report = digits
        cv = succeed("fit", "--cv", "3", cwd=folder)["cv"]
        assert len(cv["scores"]) == 3
        assert abs(cv["mean"] - report["accuracy"]) < 0.03

    def test_the_values_do_not_depend_on_batch_or_workers(self, digits, tmp_path):
        folder, _ = digits
        stores = [
            succeed("extract", "--limit", "40", *words, "--cache-dir", tmp_path / name, cwd=folder)
            for name, words in (
                ("a", ("--batch-size", "32")),
                ("b", ("--batch-size", "32", "--workers", "1")),
            )
        ]
        first, second = (cache.read_features(folder / fields["store"]) for fields in stores)
        assert first.content_sha256 == second.content_sha256


class TestTutorials:
    def test_vgg16_at_150_flattened_on_a_kaggle_folder(self, tmp_path):
        for i in range(40):
            for k, name in enumerate(("cat", "dog")):
                path = tmp_path / "data" / "dogs-vs-cats" / "train" / f"{name}.{i}.jpg"
                save_photo(path, seed=100 * k + i)
        extraction = succeed(
            *("extract", "--model", "vgg16", "--dataset", "dogs-vs-cats", "--limit", "64"),
            *("--image-size", "150", "--pooling", "none", "--weights", "random"),
            cwd=tmp_path,
        )
        assert extraction["n_found"] == 64
        assert extraction["n_features"] == 4 * 4 * 512
        table = cache.read_features(tmp_path / extraction["store"])
        assert table.class_names == ("cat", "dog")
        assert np.bincount(table.labels).tolist() == [32, 32]

    def test_an_earlier_layer_and_two_at_once(self, tmp_path):
        for i in range(3):
            save_photo(tmp_path / "photos" / "a" / f"{i}.jpg", seed=i)
            save_photo(tmp_path / "photos" / "b" / f"{i}.jpg", seed=50 + i)
        common = ("extract", "--dataset", "photos", "--model", "vgg16", "--weights", "random")
        widths = [
            succeed(*common, "--image-size", "64", *layers, cwd=tmp_path)["n_features"]
            for layers in (
                ("--layer", "block4_pool"),
                ("--layer", "block3_pool", "--layer", "block5_pool"),
                ("--layer", "block5_pool", "--pooling", "none"),
            )
        ]
        assert widths == [512, 256 + 512, 2 * 2 * 512]


LITE, SMALL = "efficientnet-lite0", "mobilenet_v3_small"
BOTH = f"{LITE}+{SMALL}"
TINY = ("extract", "--dataset", "photos", "--image-size", "64", "--weights", "random", "--quiet")
LAYERS = ("--layer", f"{LITE}:block1a_activation", "--layer", f"{SMALL}:expanded_conv_project_bn")
WAITS = ("start", "decoding", "inference", "hashing", "writing", "rest")
EXTRACTIONS = {
    "plain": (),
    "joined": ("--model", BOTH),
    "layers": ("--model", BOTH, *LAYERS),
    "averaged": ("--augment", "hflip"),
    "beside": ("--augment", "hflip", "--views", "2"),
    "tried": ("--dry-run", "--model", SMALL, "--cache-dir", "caches/plain"),
}
RUN_THEM = """
import contextlib, io, json, sys
from pipeline.cli import main
results = {}
for name, words in json.loads(sys.argv[1]).items():
    sys.argv = ["pipeline", *words]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as exc:
            code = exc.code or 0
    results[name] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with few small photos, each network converted in it, and what was printed.

    All by one process, for each would take seconds to load Keras.
    """
    folder = tmp_path_factory.mktemp("tiny")
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            save_photo(folder / "photos" / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    (folder / "photos" / "red" / "bad.jpg").write_text("not an image")
    with Image.open(folder / "photos" / "blue" / "03.jpg") as image:
        image.convert("L").save(folder / "photos" / "blue" / "grey.png")
    commands = {
        name: [*TINY, "--json", "--cache-dir", f"caches/{name}", *words]
        for name, words in EXTRACTIONS.items()
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN_THEM, json.dumps(commands)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


def extraction_of(tiny, name):
    folder, results = tiny
    code, out, err = results[name]
    assert (code, err) == (0, "")
    fields = json.loads(out)
    assert (fields["n_found"], fields["n_cached"]) == (38, 37)
    assert fields["skipped"] == {"not an image": 1}
    return fields, cache.read_features(folder / fields["store"])


class TestKept:
    """A network that was converted once is run without Keras."""

    @pytest.fixture
    def cache_dir(self, tiny, tmp_path):
        return shutil.copytree(tiny[0] / "caches" / "plain", tmp_path / "cache")

    def loaded(self, tiny, cache_dir, *words):
        """Return what a run of `extract` loads; it must come to a good end."""
        words = (*TINY, "--dataset", tiny[0] / "photos", "--cache-dir", cache_dir, *words)
        code = (
            "import sys\n"
            "from pipeline.cli import main\n"
            f"sys.argv = ['pipeline', *{list(map(str, words))!r}]\n"
            "try:\n"
            "    main()\n"
            "except SystemExit as exc:\n"
            "    assert not exc.code, exc.code\n"
        )
        return loaded_by(code)

    @pytest.mark.parametrize(
        "words",
        [
            ("--overwrite",),
            ("--precision", "bfloat16"),
            ("--dtype", "float16", "--resize", "pad"),
            ("--limit", "9", "--batch-size", "2"),
        ],
        ids=" ".join,
    )
    def test_a_second_extraction_loads_no_keras(self, tiny, cache_dir, words):
        assert self.loaded(tiny, cache_dir, "--device", "cpu", *words) == {"openvino", "zarr"}

    def test_a_finished_one_loads_no_network_at_all(self, tiny, cache_dir):
        assert self.loaded(tiny, cache_dir, "--device", "cpu") == {"zarr"}

    def test_a_dry_run_takes_it_too_and_changes_nothing(self, tiny, cache_dir):
        def look():
            return {
                path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
                for path in sorted(cache_dir.rglob("*"))
            }

        before = look()
        words = ("--device", "cpu", "--dry-run", "--resize", "pad")
        assert self.loaded(tiny, cache_dir, *words) == {"openvino", "zarr"}
        assert look() == before

    def test_a_dry_run_keeps_no_network(self, tiny):
        folder, results = tiny
        code, out, err = results["tried"]
        assert (code, err) == (0, "")
        fields = json.loads(out)
        assert (fields["n_images"], fields["n_features"]) == (38, 576)
        assert fields["skipped"] == {"not an image": 1}
        paths = (folder / "caches" / "plain").glob("*/[!.]*")
        assert {path.name.split("-")[0] for path in paths} == {"efficientnet"}


class TestJoined:
    @pytest.fixture(autouse=True)
    def _own_signals(self, monkeypatch):
        monkeypatch.setattr(commands.signals, "install", lambda: None)

    def test_the_values_of_both_stand_side_by_side(self, tiny):
        fields, joined = extraction_of(tiny, "joined")
        assert (fields["model"], fields["n_features"]) == (BOTH, 1280 + 576)
        _, plain = extraction_of(tiny, "plain")
        np.testing.assert_allclose(joined.features[:, :1280], plain.features, rtol=1e-4, atol=1e-5)
        assert joined.features[:, 1280:].std(axis=0).any()
        assert joined.paths == plain.paths

    def test_it_says_where_the_time_went(self, tiny):
        fields, _ = extraction_of(tiny, "joined")
        waits = {name: fields["ledger"][name] for name in WAITS}
        assert set(fields["ledger"]) == {*WAITS, "work_hashing", "work_writing", "total"}
        assert sum(waits.values()) == pytest.approx(fields["ledger"]["total"], abs=0.005)
        assert fields["seconds"] == fields["ledger"]["total"]
        assert max(waits, key=waits.get) == "start"  # so few photos
        assert fields["advice"] == ""
        assert fields["batch_size"] >= 1
        assert fields["engine"] == "openvino on cpu"

    def test_each_gives_the_layers_that_are_asked_of_it(self, tiny):
        fields, table = extraction_of(tiny, "layers")
        assert fields["n_features"] == 32 + 16
        assert [each["layers"] for each in table.recipe["backbones"]] == [
            ["block1a_activation"],
            ["expanded_conv_project_bn"],
        ]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--layer", "block1a_activation"), "does not say of which backbone"),
            (("--model", f"{LITE}+{LITE}"), "names a backbone twice"),
            (("--image-size", "31"), "--image-size of efficientnet-lite0 must be at least 32"),
            (("--views", "2"), "add --augment hflip"),
            (("--views", "3", "--augment", "hflip"), "--views must be 1 or 2"),
            (("--batch-size", "x"), "--batch-size must be auto or a whole number"),
            (("--workers", "0"), "--workers must be at least 1"),
        ],
    )
    def test_a_wrong_setting_is_wrong_usage(self, tiny, words, message):
        folder, _ = tiny
        done = CliRunner().invoke(
            app, [*TINY, "--dataset", str(folder / "photos"), "--model", BOTH, *words]
        )
        assert (done.exit_code, done.stdout) == (2, "")
        assert message in " ".join(done.stderr.split())

    def test_it_is_fitted_reported_and_found_by_its_name(self, tiny):
        folder, _ = tiny
        words = ("--model", "EfficientNetLite0+MobileNetV3Small", "--cache-dir", "caches/joined")
        report = succeed("fit", *words, cwd=folder)
        assert report["model"] == BOTH
        assert report["n_train"] + report["n_test"] == 37
        printed = run("report", *words, cwd=folder)
        assert printed.returncode == 0, printed.stderr
        assert BOTH in printed.stdout.splitlines()[0]
        about = run("cache", "info", "--cache-dir", "caches/joined", cwd=folder).stdout
        assert f"{LITE} + {SMALL}" in about
        assert "lite + none" in about  # their preprocessing


class TestMirrored:
    def test_the_second_view_is_the_mirrored_image(self, tiny, tmp_path):
        folder, _ = tiny
        _, beside = extraction_of(tiny, "beside")
        _, plain = extraction_of(tiny, "plain")
        assert beside.features.shape == (37, 2 * 1280)
        np.testing.assert_allclose(beside.features[:, :1280], plain.features, rtol=1e-4, atol=1e-5)
        for path in beside.paths:
            target = (tmp_path / "photos" / path).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(folder / "photos" / path) as image:
                image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(target)
        shutil.copytree(folder / "caches" / "plain" / "networks", tmp_path / "cache" / "networks")
        config = ExtractConfig(
            dataset=str(tmp_path / "photos"),
            image_size=64,
            weights="random",
            cache_dir=tmp_path / "cache",
        )
        mirrored = cache.read_features(extract(prepare(config), open_engine).store)
        rows = [mirrored.paths.index(path.replace(".jpg", ".png")) for path in beside.paths]
        np.testing.assert_allclose(
            beside.features[:, 1280:], mirrored.features[rows], rtol=1e-3, atol=1e-4
        )
        assert not np.allclose(mirrored.features[rows], plain.features, rtol=1e-3, atol=1e-4)

    def test_without_views_it_is_their_average(self, tiny):
        _, averaged = extraction_of(tiny, "averaged")
        _, beside = extraction_of(tiny, "beside")
        both = beside.features.reshape(37, 2, 1280)
        np.testing.assert_allclose(averaged.features, both.mean(axis=1), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("name", "n_views", "said"),
        [("averaged", 1, "mirrored and averaged"), ("beside", 2, "mirrored beside")],
    )
    def test_it_is_fitted_reported_and_exported(self, tiny, name, n_views, said):
        folder, _ = tiny
        place = ("--cache-dir", f"caches/{name}")
        report = succeed("fit", *place, cwd=folder)
        assert (report["recipe"]["augment"], report["recipe"]["views"]) == ("hflip", n_views)
        assert report["n_train"] + report["n_test"] == 37
        assert said in run("report", *place, cwd=folder).stdout
        about = succeed("cache", "info", *place, cwd=folder)
        assert said in about["entry"]["unlike"]
        assert about["entry"]["width"] == n_views * 1280
        succeed("cache", "export", "--to", f"{name}.csv", *place, cwd=folder)
        lines = (folder / f"{name}.csv").read_text().splitlines()
        values = [f"f{i}" for i in range(1280)]
        views = [*values, *(f"view2_{value}" for value in values)][: n_views * 1280]
        assert lines[0].split(",") == ["path", "label", "split", "sha256", *views]
        assert {len(line.split(",")) for line in lines} == {4 + n_views * 1280}
        assert len(lines) == 1 + 37


class TestSameBytes:
    """What is stored depends on nothing but the images and the recipe."""

    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch):
        monkeypatch.setattr(layout, "block_length", lambda row_bytes: 8)

    @pytest.fixture
    def fill(self, tiny, tmp_path):
        """Extract in a cache of its own; return what came of it, and the store's files."""
        folder, _ = tiny
        shutil.copytree(folder / "caches" / "plain" / "networks", tmp_path / "networks")

        def fill(*, number=0, deadline=float("inf"), **changes):
            cache_dir = tmp_path / str(number)
            if not cache_dir.exists():
                shutil.copytree(tmp_path / "networks", cache_dir / "networks")
            settings = {"image_size": 64, "weights": "random", "device": "cpu", **changes}
            job = prepare(
                ExtractConfig(dataset=str(folder / "photos"), cache_dir=cache_dir, **settings)
            )
            done = extract(replace(job, deadline=deadline), open_engine)
            # zarr.json says which settings were used, and what all of the rest hashes to.
            files = {
                name: content
                for name, content in files_of(job.store).items()
                if name != "zarr.json"
            }
            return done, files, cache.read_info(job.store).content_sha256

        return fill

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_whatever_the_batch_size_and_the_threads_and_however_often_it_stops(
        self, fill, precision
    ):
        done, expected, content = fill(precision=precision)
        assert (done.n_found, done.n_cached, done.n_computed) == (38, 37, 38)
        assert {"features/c/4/0", "status/c/4", "oddities/c/4", "commit/c/4/0"} <= set(expected)
        ways = [
            *({"workers": workers} for workers in (1, 2, 5)),
            *({"batch_size": size} for size in (1, 3, 16)),
            {"batch_size": 3, "workers": 5},
        ]
        for number, way in enumerate(ways, start=1):
            _, files, found = fill(number=number, precision=precision, **way)
            assert found == content, way
            assert files == expected, way
        number = len(ways) + 1
        for size, n_left in ((3, 30), (16, 22), (None, 14)):
            stopped, _, found = fill(
                number=number, precision=precision, batch_size=size, deadline=0.0
            )
            assert (stopped.n_left, found) == (n_left, "")
        ended, files, found = fill(number=number, precision=precision, batch_size=1)
        assert (ended.n_computed, ended.n_left, found) == (14, 0, content)
        assert files == expected

    def test_whatever_is_left_to_the_clock(self, fill):
        _, expected, _ = fill()
        for _ in range(5):
            done, files, _ = fill(number=1, max_time=1e-3)
            assert done.n_computed == 8 or not done.n_left
        assert done.n_left == 0
        assert files == expected


class TestRealPhotographs:
    def test_cats_and_dogs(self, real_data, tmp_path):
        photos = real_data / "cats-and-dogs"
        extraction = succeed("extract", "--dataset", photos, cwd=tmp_path)
        assert extraction["n_found"] == extraction["n_cached"] == 1399
        report = succeed("fit", "--clf", "logreg", cwd=tmp_path)
        assert report["accuracy"] >= 0.98
        assert report["n_train"] + report["n_test"] == 1399
        assert report["skipped"] == {}

    def test_a_photo_that_is_none_is_skipped_and_counted(self, real_data, tmp_path):
        for name in ("cat", "dog"):
            (tmp_path / "pets" / name).mkdir(parents=True)
            for photo in sorted((real_data / "cats-and-dogs" / name).iterdir())[:20]:
                shutil.copy(photo, tmp_path / "pets" / name)
        (tmp_path / "pets" / "cat" / "666.jpg").write_bytes(b"")
        (tmp_path / "pets" / "dog" / "11702.jpg").write_text("not a dog")
        report = succeed("run", "--dataset", "pets", cwd=tmp_path)
        assert report["n_found"] == 42
        assert report["skipped"] == {"zero bytes": 1, "not an image": 1}
        assert report["n_train"] + report["n_test"] == 40

    def test_a_given_split_is_kept(self, real_data, tmp_path):
        words = ("--dataset", real_data / "cifar10-sample", "--limit", "600")
        extraction = succeed("extract", *words, cwd=tmp_path)
        table = cache.read_features(tmp_path / extraction["store"])
        given = np.where(
            [path.startswith("test/") for path in table.paths], Split.TEST, Split.TRAIN
        )
        assert np.array_equal(table.split, given)
        report = succeed("fit", cwd=tmp_path)
        assert report["split"] == "given"
        assert report["n_test"] == int((given == Split.TEST).sum())
        assert report["accuracy"] > 0.7

    @pytest.mark.slow
    @pytest.mark.parametrize(("clf", "least"), [("logreg", 0.88), ("svm", 0.89), ("mlp", 0.88)])
    def test_the_whole_cifar10_sample(self, real_data, tmp_path_factory, clf, least):
        folder = tmp_path_factory.getbasetemp()
        extraction = succeed("extract", "--dataset", real_data / "cifar10-sample", cwd=folder)
        assert extraction["n_found"] == extraction["n_cached"] == 12_000
        report = succeed("fit", "--clf", clf, "--dataset", "cifar10-sample", cwd=folder)
        assert (report["n_train"], report["n_test"]) == (10_000, 2_000)
        assert report["accuracy"] >= least

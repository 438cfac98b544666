"""The whole pipeline for real: the embedded network, and real photographs where there are any."""

import json
import shutil

import numpy as np
import pytest

from pipeline import cache
from pipeline.records import Split
from tests.conftest import save_photo
from tests.test_cli import run


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
        low, high = report["accuracy_ci"]
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

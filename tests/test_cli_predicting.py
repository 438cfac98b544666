"""`pipeline predict` as a user meets it: what it prints, writes, and ends with."""

import csv
import io
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import pipeline
from pipeline import commands
from pipeline.cache import find_store, read_features
from pipeline.cli import app, steps, taking
from pipeline.predicting.computing import compute_values
from tests.conftest import save_photo
from tests.faults.harness import files_of
from tests.made_fits import make_fit, open_fake, save_photos
from tests.showing.test_explaining import MeanColourMaps
from tests.test_cli import ROOT, SMALL, run
from tests.test_imports import loaded_by


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    save_photos(folder / "photos")
    make_fit(folder, "knn")
    make_fit(folder, "logreg")
    (folder / "mixed").mkdir()
    save_photo(folder / "mixed" / "a.jpg", seed=900, tint=(180, 0, 0))
    (folder / "mixed" / "b.jpg").write_text("no image")
    save_photo(folder / "mixed" / "c.jpg", seed=901, tint=(0, 180, 0))
    return folder


@pytest.fixture
def predict(folder, monkeypatch):
    """Run the command within this process, on mean colours."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(steps, "open_engine", open_fake)
    monkeypatch.setattr(taking.opening, "open_maps", MeanColourMaps)
    # Signal handlers of a test belong to pytest.
    monkeypatch.setattr(commands.signals, "install", lambda: None)

    def predict(*words, stdin=None):
        return CliRunner().invoke(app, ["predict", *map(str, words)], input=stdin)

    return predict


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestOutput:
    def test_a_table_with_the_sum_and_what_went_wrong(self, predict):
        done = predict("mixed")
        assert done.exit_code == 0
        lines = done.stdout.splitlines()
        assert [line.split()[1] for line in lines if ".jpg" in line] == ["red", "(not", "green"]
        assert lines[-1] == "3 images: 1 red, 1 green, 1 not an image."
        assert "Answered by: cache/photos/efficientnet-lite0-" in done.stderr
        assert "1 of 3 images cannot be used: 1 not an image" in done.stderr

    def test_csv(self, predict):
        done = predict("mixed", "photos/blue/03.jpg", "--format", "csv", "--topk", "2")
        rows = rows_of(done.stdout)
        assert [row["path"] for row in rows] == [
            *("mixed/a.jpg", "mixed/b.jpg", "mixed/c.jpg", "photos/blue/03.jpg"),
        ]
        assert [row["label"] for row in rows] == ["red", "", "green", "blue"]
        assert rows[1]["reason"] == "not an image"
        assert float(rows[0]["probability"]) > float(rows[0]["probability_2"])
        assert "4 images:" in done.stderr

    def test_json_lines(self, predict):
        lines = predict("mixed", "--format", "jsonl").stdout.splitlines()
        assert [json.loads(line).get("label") for line in lines] == ["red", None, "green"]

    def test_json(self, predict):
        fields = json.loads(predict("mixed", "--json", "--topk", "3").stdout)
        assert (fields["n_images"], fields["n_skipped"], fields["clf"]) == (3, 1, "logreg")
        assert fields["counts"] == {"red": 1, "green": 1}
        assert fields["answers"][0]["classes"][0] == "red"
        assert len(fields["answers"][0]["probabilities"]) == 3

    def test_a_file(self, predict, tmp_path):
        done = predict("mixed", "--to", tmp_path / "new" / "a.csv")
        assert [row["label"] for row in rows_of((tmp_path / "new" / "a.csv").read_text())] == [
            *("red", "", "green"),
        ]
        assert done.stdout.strip() == "3 images: 1 red, 1 green, 1 not an image."
        fields = json.loads(predict("mixed", "--to", tmp_path / "a.jsonl", "--json").stdout)
        assert "answers" not in fields
        assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3

    def test_answers_stream(self, folder, predict, monkeypatch):
        """The first lines are out before the last image is read."""
        seen = []
        real = steps.open_engine

        def open_engine(job, **options):
            engine = real(job)
            infer = engine.infer_many

            def infer_many(batches):
                for values in infer(batches):
                    seen.append(out.stat().st_size if out.exists() else 0)
                    yield values

            engine.infer_many = infer_many
            return engine

        monkeypatch.setattr(steps, "open_engine", open_engine)
        monkeypatch.setattr("pipeline.durable.partial_path", lambda path: out)
        monkeypatch.setattr("pipeline.predicting.writing.partial_path", lambda path: out)
        out = folder / ".out.partial"
        done = predict(*["photos"] * 8, "--to", folder / "streamed.csv")
        assert done.exit_code == 0
        assert 0 < seen[-1] < (folder / "streamed.csv").stat().st_size
        (folder / "streamed.csv").unlink()

    def test_quiet_prints_the_result_alone(self, predict):
        assert predict("photos/red", "--quiet").stderr == ""


class TestImages:
    def test_a_list_on_stdin(self, predict):
        done = predict("-", "--format", "csv", stdin="mixed/c.jpg\nmixed/gone.jpg\n")
        rows = rows_of(done.stdout)
        assert [row["label"] for row in rows] == ["green", ""]
        assert rows[1]["reason"] == "cannot be read"

    def test_a_table(self, predict, folder):
        (folder / "list.csv").write_text("image,label\nmixed/c.jpg,wrong\nmixed/a.jpg,\n")
        rows = rows_of(predict("list.csv", "--format", "csv").stdout)
        assert [(row["path"], row["label"]) for row in rows] == [
            ("mixed/c.jpg", "green"),
            ("mixed/a.jpg", "red"),
        ]

    def test_one_image_is_answered_as_among_others(self, predict):
        together = predict("photos", "--format", "jsonl", "--topk", "3").stdout.splitlines()
        alone = predict("photos/green/07.jpg", "--format", "jsonl", "--topk", "3").stdout
        assert alone.strip() in together

    def test_what_is_passed_over_is_said(self, predict, folder):
        (folder / "notes").mkdir(exist_ok=True)
        (folder / "notes" / "a.txt").write_text("x")
        shutil.copy(folder / "mixed" / "a.jpg", folder / "notes")
        assert "Passed over: 1 no image by name and content" in predict("notes").stderr


class TestWhichFit:
    def test_the_newest_of_what_is_asked_for(self, predict):
        assert "/logreg-" in predict("mixed").stderr
        assert "/knn-" in predict("mixed", "--clf", "knn", "--dataset", "photos").stderr
        done = predict("mixed", "--clf", "svm")
        assert done.exit_code == 1
        assert "No fit of --clf svm" in done.stderr

    def test_or_the_one_that_is_named(self, predict, folder, tmp_path):
        (knn,) = (folder / "cache" / "photos").glob("*.fits/knn-*")
        alone = shutil.copytree(knn, tmp_path / "product")
        done = predict("mixed", "--fit", alone, "--cache-dir", tmp_path / "none")
        assert done.exit_code == 0
        assert f"Answered by: {alone}" in done.stderr.replace("\n", "")
        assert not (tmp_path / "none").exists()

    def test_or_one_in_the_current_folder(self, predict, folder, tmp_path, monkeypatch):
        (fit,) = (folder / "cache" / "photos").glob("*.fits/logreg-*")
        shutil.copytree(fit, tmp_path / "model")
        monkeypatch.chdir(tmp_path)
        for name in ("model", "./model", f"../{tmp_path.name}/model"):
            done = predict(folder / "mixed", "--fit", name)
            assert done.exit_code == 0, done.stderr


class TestExitCodes:
    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (("mixed", "--strict"), 4, "cannot be used"),
            (("photos", "--strict"), 0, ""),
            (("mixed/b.jpg",), 1, "There is nothing to answer about"),
            (("mixed/b.jpg", "--strict"), 4, "There is nothing to answer about"),
            (("gone.jpg",), 1, "no file or folder 'gone.jpg'"),
            (("mixed", "--topk", "0"), 2, "--topk must be at least 1"),
            (("mixed", "--format", "xml"), 2, "--format must be one of"),
            (("mixed", "--to", "a.xls"), 2, "ends in '.xls'"),
            (("mixed", "--json", "--format", "csv"), 2, "leave one of them out"),
            (("mixed", "--grid", "a.jpg"), 2, "ends in .png or .svg"),
            (("mixed", "--keep", "3"), 2, "--keep"),
            (("mixed", "--coverage", "3"), 2, "--coverage"),
            (("mixed", "--batch-size", "0"), 2, "--batch-size"),
            (("mixed", "--workers", "0"), 2, "--workers"),
            (("mixed", "--device", "tpu"), 2, "--device"),
            ((), 2, "Missing argument"),
        ],
    )
    def test_each_end_has_its_own(self, predict, words, code, said):
        done = predict(*words)
        assert done.exit_code == code, done.stderr
        assert said in done.stderr.replace("\n", " ")

    def test_without_a_fit_it_says_what_to_run(self, predict, tmp_path):
        done = predict("mixed", "--cache-dir", tmp_path)
        assert done.exit_code == 1
        assert "Run: fit" in done.stderr
        assert list(tmp_path.iterdir()) == []


class TestWhatElse:
    def test_photos_are_copied_drawn_and_explained(self, predict, tmp_path):
        done = predict(
            *("mixed", "--copy-to", tmp_path / "sorted", "--grid", tmp_path / "g.png"),
            *("--explain", tmp_path / "why"),
        )
        assert done.exit_code == 0, done.stderr
        assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")) == [
            *("g.png", "sorted/green/c.jpg", "sorted/red/a.jpg"),
            *("why/a.jpg.explained.webp", "why/c.jpg.explained.webp", "why/explained.csv"),
        ]
        said = done.stderr.replace("\n", "")
        assert "Explained: 2 pictures" in said
        assert "Drawn: 2 pictures" in said
        assert "Copied: 2 photos" in said
        assert "; left, since they cannot be used: 1" in said

    def test_where_it_cannot_be_told_why_is_said_once(self, predict, tmp_path):
        done = predict("photos", "--clf", "knn", "--explain", tmp_path / "why")
        assert done.exit_code == 0
        assert done.stderr.count("not linear") == 1
        assert not (tmp_path / "why").exists()

    def test_without_a_usable_image_the_reasons_are_said_and_nothing_is_drawn(
        self, predict, tmp_path
    ):
        done = predict("mixed/b.jpg", "--grid", tmp_path / "g.png")
        assert done.exit_code == 1
        assert "(not an image)" in done.stdout
        assert "Not drawn" in done.stderr
        assert "1 of 1 images cannot be used: 1 not an image" in done.stderr
        assert not (tmp_path / "g.png").exists()

    def test_what_is_unlike_the_training_images_is_unknown(self, predict, folder):
        odd = save_photo(folder / "odd.jpg", seed=1, tint=(180, 180, 0))
        (row,) = rows_of(
            predict(odd, "--reject", "--keep", "0.5", "--coverage", "0.8", "--format", "csv").stdout
        )
        assert row["label"] == "unknown"
        assert row["class"] in ("green", "red")
        assert float(row["distance"]) > 0
        assert isinstance(json.loads(row["label_set"]), list)

    def test_the_cache_stays_as_it_is_and_need_not_be_writable(self, predict, folder):
        before = files_of(folder / "cache")
        assert predict("mixed").exit_code == 0
        assert files_of(folder / "cache") == before


class TestPlaces:
    """What could not be written is refused before anything is computed."""

    @pytest.fixture
    def predict(self, predict, monkeypatch):
        def never(*_args, **_settings):
            pytest.fail("something was computed")

        monkeypatch.setattr(steps, "open_engine", never)
        return predict

    @pytest.mark.parametrize("flag", ["--to", "--grid"])
    def test_a_folder_where_a_file_is_to_be(self, predict, tmp_path, flag):
        place = tmp_path / {"--to": "a.csv", "--grid": "a.png"}[flag]
        place.mkdir()
        done = predict("mixed", flag, place)
        assert done.exit_code == 2
        assert "is a folder" in done.stderr

    @pytest.mark.parametrize("flag", ["--copy-to", "--explain"])
    def test_a_file_where_a_folder_is_to_be(self, predict, tmp_path, flag):
        (tmp_path / "a").touch()
        done = predict("mixed", flag, tmp_path / "a")
        assert done.exit_code == 2
        assert "is a file" in done.stderr

    def test_a_figure_of_another_name(self, predict):
        assert predict("mixed", "--grid", "a.jpg").exit_code == 2

    def test_no_table_that_is_read(self, predict, folder):
        (folder / "list.csv").write_text("path,note\nmixed/a.jpg,mine\n")
        done = predict("list.csv", "--to", folder / "list.csv")
        assert done.exit_code == 2
        assert "is one of the files that are read" in done.stderr
        assert "mine" in (folder / "list.csv").read_text()

    def test_no_photo_that_is_read(self, predict, folder):
        save_photo(folder / "png" / "a.png", seed=3, tint=(180, 0, 0))
        before = (folder / "png" / "a.png").read_bytes()
        assert predict("png", "--grid", "png/a.png").exit_code == 2
        assert (folder / "png" / "a.png").read_bytes() == before

    def test_too_few_classes_print_no_head(self, predict):
        done = predict("mixed", "--topk", "0", "--format", "csv")
        assert (done.exit_code, done.stdout) == (2, "")


def test_answers_from_before_are_written_over(predict, folder):
    for _ in range(2):
        assert predict("mixed", "--to", folder / "again.csv").exit_code == 0


def test_who_stops_it_is_told_that_no_answers_were_written(predict, folder, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(taking.Takers, "take", stop)
    done = predict("mixed", "--to", folder / "stopped.csv")
    assert done.exit_code == commands.INTERRUPTED
    assert "Nothing was written to" in done.stderr
    assert not list(folder.glob("*stopped.csv*"))


def test_a_fit_that_is_named_is_not_chosen_as_well(predict):
    done = predict("mixed", "--fit", "x", "--clf", "svm")
    assert done.exit_code == 2
    assert "--clf chooses among fits" in done.stderr


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A small network, for real: extracted and fitted by the commands."""
    folder = tmp_path_factory.mktemp("real")
    save_photos(folder / "photos")
    for words in (("extract", "--dataset", "photos", *SMALL), ("fit", "--no-tune", "--no-html")):
        done = run(*words, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


class TestForReal:
    def test_values_and_probabilities_are_those_of_the_store_bit_for_bit(self, real, monkeypatch):
        monkeypatch.chdir(real)
        model = pipeline.load()
        table = read_features(find_store(Path("cache")))
        photos = [f"{table.root}/{path}" for path in table.paths]
        job, score = model._predictor.job, model._predictor.score
        (part,) = compute_values(job, photos, model._open)
        np.testing.assert_array_equal(part.values, table.features)
        np.testing.assert_array_equal(model.predict_proba(photos), score(table.features))
        for row in (0, 11, 35):  # one image by itself
            (alone,) = compute_values(job, photos[row : row + 1], model._open)
            np.testing.assert_array_equal(alone.values[0], table.features[row])
            found = model.predict_proba(photos[row])
            np.testing.assert_array_equal(found[0], score(table.features)[row])

    def test_no_deep_learning_framework_is_loaded_and_the_answer_is_there_soon(self, real):
        code = (
            "import contextlib, io, os, sys\n"
            "from pipeline.cli import main\n"
            f"os.chdir({str(real)!r})\n"
            "sys.argv = ['pipeline', 'predict', 'photos/red/00.jpg']\n"
            "out = io.StringIO()\n"
            "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(out):\n"
            "    main()\n"
            "assert '00.jpg' in out.getvalue(), out.getvalue()"
        )
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        loaded = loaded_by(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Processor time, which other processes change little: 2.3 s, as long as the wait if idle.
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 6
        assert loaded <= {"openvino", "sklearn", "zarr", "pandas"}

    @pytest.mark.skipif(
        os.name != "posix" or os.geteuid() == 0, reason="needs a user without rights"
    )
    def test_a_cache_that_cannot_be_written_does(self, real):
        for path in (real / "cache", *(real / "cache").rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        assert run("predict", "photos", cwd=real).returncode == 0
        for path in (real / "cache", *(real / "cache").rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    def test_the_reader_may_leave(self, real):
        command = f"{sys.executable} -m pipeline predict photos --format csv | head -n 1"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["bash", "-c", command], cwd=real, env=environment, capture_output=True, text=True
        )
        assert done.stdout.startswith("path,label")
        assert "Traceback" not in done.stderr

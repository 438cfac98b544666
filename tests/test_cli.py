"""The commands as a user meets them: exit codes, streams, messages. Real runs are in test_real."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from pipeline.cli import app, cache_app, fits, plot_app
from pipeline.config import CLASSIFIERS, Gates
from pipeline.console import Terminal
from pipeline.records import FitResult
from tests.made_reports import make_report

ROOT = Path(__file__).parents[1]
SMALL = ("--image-size", "32", "--weights", "random", "--model", "efficientnet-lite0")


def run(*words: str, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """A folder in which three colours of photos were extracted once, for real."""
    from tests.conftest import TINTS, save_photo

    folder = tmp_path_factory.mktemp("cli")
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            save_photo(folder / "photos" / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    (folder / "photos" / "red" / "bad.jpg").write_text("not an image")
    done = run("extract", "--dataset", "photos", *SMALL, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


class TestExtract:
    def test_the_result_is_on_stdout_and_the_notes_on_stderr(self, extracted):
        _, done = extracted
        assert "37 found = 36 cached + 1 skipped" in done.stdout
        assert "1 not an image" in done.stdout
        assert re.search(r"cache/photos/efficientnet-lite0-[0-9a-f]{8}\.zarr", done.stdout)
        assert re.search(r"time +\d+\.\d s with openvino on cpu, 37 images\n", done.stdout)
        assert re.search(r"waited for +start \d+\.\d s \(\d+%\)", done.stdout)
        assert done.stderr.splitlines() == [
            "Extracting 37 images with efficientnet-lite0 ...",
            "Next: fit --clf logreg",
        ]

    def test_a_second_run_says_so_soon_and_loads_no_network(self, extracted):
        folder, _ = extracted
        started = time.perf_counter()
        again = run("extract", "--dataset", "photos", *SMALL, cwd=folder)
        assert time.perf_counter() - started < 5  # 2 s on an idle machine
        assert again.returncode == 0
        assert "Already extracted" in again.stderr
        assert "37 found = 36 cached + 1 skipped" in again.stdout

    def test_what_was_extracted_last_is_what_fit_takes(self, extracted, tmp_path):
        folder, _ = extracted
        common = ("extract", "--dataset", "photos", *SMALL, "--cache-dir", tmp_path, "--json")
        wanted = json.loads(run(*common, "--limit", "30", cwd=folder).stdout)["store"]
        run(*common, "--limit", "20", cwd=folder)
        again = run(*common, "--limit", "30", cwd=folder)
        assert "Already extracted" in again.stderr
        fitted = json.loads(run("fit", "--cache-dir", tmp_path, "--json", cwd=folder).stdout)
        assert fitted["store"] == Path(wanted).name

    def test_strict_exits_with_4_when_images_were_skipped(self, extracted):
        folder, _ = extracted
        again = run("extract", "--dataset", "photos", *SMALL, "--strict", cwd=folder)
        assert again.returncode == 4

    def test_json_is_one_object(self, extracted):
        folder, _ = extracted
        again = run("extract", "--dataset", "photos", *SMALL, "--json", "--quiet", cwd=folder)
        fields = json.loads(again.stdout)
        assert fields["n_found"] == 37
        assert fields["skipped"] == {"not an image": 1}
        assert again.stderr == ""

    def test_a_dry_run_writes_nothing(self, extracted, tmp_path):
        folder, _ = extracted
        cache = tmp_path / "nothing"
        words = ("extract", "--dataset", "photos", *SMALL, "--dry-run", "--cache-dir", cache)
        done = run(*words, cwd=folder)
        assert done.returncode == 0
        assert "37 in 3 classes" in done.stdout
        assert "1 not an image" in done.stdout
        assert not cache.exists()

    def test_a_dry_run_downloads_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        done = run("extract", "--dry-run", "--dataset", "dogs-vs-cats", cwd=tmp_path)
        assert done.returncode == 1
        assert "which downloads 825 MB" in done.stderr
        done = run("extract", "--dry-run", "--model", "vgg16", cwd=tmp_path)
        assert done.returncode == 1
        assert "By hand: fetch" in done.stderr
        assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]  # the embedded digits

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("--model", "vgg61"), 2, "vgg16"),
            (("--pooling", "min"), 2, "--pooling must be one of avg, max, none"),
            (("--batch-size", "0"), 2, "--batch-size must be at least 1"),
            (("--image-size", "8"), 2, "at least 32"),
            (("--no-such-flag",), 2, "No such option"),
            (("--dataset", "nowhere"), 1, "no data set, folder or file 'nowhere'"),
            (("--layer", "no_such_layer"), 2, "no_such_layer"),
            (("--device", "gpu:7", "--pooling", "max"), 1, "GPU"),
            (("--device", "tpu"), 2, "--device must be"),
        ],
    )
    def test_a_wrong_setting_is_a_clear_error_without_a_traceback(
        self, extracted, words, code, message
    ):
        folder, _ = extracted
        done = run("extract", "--dataset", "photos", *SMALL, *words, cwd=folder)
        assert done.returncode == code, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""

    def test_missing_weights_name_the_file_the_address_and_a_way_that_works(
        self, extracted, tmp_path
    ):
        folder, _ = extracted
        environment = {"KERAS_HOME": str(tmp_path / "keras"), "https_proxy": "http://127.0.0.1:9"}
        code = (
            f"import os; os.environ.update({environment!r}); from pipeline.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "extract", "--dataset", "photos", "--model", "vgg16"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        for part in (
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "https://storage.googleapis.com/",
            str(tmp_path / "keras" / "models"),
            "--model efficientnet-lite0",
        ):
            assert part in done.stderr.replace("\n", "")

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_fault_06_stopping_it_frees_the_lock_and_says_how_to_go_on(
        self, extracted, tmp_path, number, code
    ):
        folder, _ = extracted
        words = ["extract", "--dataset", "photos", *SMALL, "--cache-dir", str(tmp_path / "c d")]
        with subprocess.Popen(
            [sys.executable, "-m", "pipeline", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert "Extracting" in process.stderr.readline()
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert f"python -m pipeline extract --dataset photos {' '.join(SMALL)}" in err
        assert "'" + str(tmp_path / "c d") + "'" in err
        assert "Traceback" not in err
        assert out == ""
        assert run(*words, cwd=folder).returncode == 0

    def test_a_backend_that_is_not_there_is_a_clear_error(self, extracted, tmp_path, monkeypatch):
        folder, _ = extracted
        monkeypatch.setenv("KERAS_BACKEND", "nonsense")
        words = ("--cache-dir", str(tmp_path / "new"))
        done = run("extract", "--dataset", "photos", *SMALL, *words, cwd=folder)
        assert done.returncode == 1
        assert "Keras cannot be loaded" in done.stderr
        assert "pipeline doctor" in done.stderr
        assert "Traceback" not in done.stderr

    def test_what_was_passed_over_is_said(self, extracted):
        folder, _ = extracted
        (folder / "photos" / "red" / ".hidden.jpg").write_bytes(b"x")
        again = run("extract", "--dataset", "photos", *SMALL, cwd=folder)
        assert "ignored" in again.stdout
        assert "37 found" in again.stdout

    def test_a_dry_run_can_be_strict(self, extracted):
        folder, _ = extracted
        done = run("extract", "--dataset", "photos", *SMALL, "--dry-run", "--strict", cwd=folder)
        assert done.returncode == 4


@pytest.fixture(scope="module")
def fitted(extracted):
    folder, _ = extracted
    done = run("fit", "--clf", "logreg", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


class TestFitAndReport:
    def test_fit_says_how_good_it_is_and_what_is_next(self, fitted):
        _, done = fitted
        assert "accuracy" in done.stdout
        assert "Next: report" in done.stderr

    def test_fitting_again_is_a_no_op(self, fitted):
        folder, _ = fitted
        again = run("fit", "--clf", "logreg", cwd=folder)
        assert "Already fitted" in again.stderr

    def test_report_prints_the_matrix_with_the_names_of_the_classes(self, fitted):
        folder, _ = fitted
        done = run("report", cwd=folder)
        assert done.returncode == 0, done.stderr
        for part in ("accuracy", "balanced", "blue", "green", "red", "precision", "recall"):
            assert part in done.stdout.lower()

    def test_report_as_json_has_what_programs_need(self, fitted):
        folder, _ = fitted
        fields = json.loads(run("report", "--json", cwd=folder).stdout)
        wanted = """dataset model clf n_train n_test accuracy intervals balanced_accuracy
                    class_names confusion_matrix skipped"""
        assert set(wanted.split()) <= set(fields)
        assert fields["dataset"] == "photos"
        assert fields["n_train"] + fields["n_test"] + sum(fields["skipped"].values()) == 37
        matrix = fields["confusion_matrix"]
        assert sum(map(sum, matrix)) == fields["n_test"]
        right = sum(matrix[i][i] for i in range(3))
        assert fields["accuracy"] == pytest.approx(right / fields["n_test"])

    @pytest.mark.parametrize("words", [("--dataset", "photos/"), ("--model", "EfficientNetLite0")])
    def test_a_fit_is_found_by_what_extract_was_told(self, fitted, words):
        folder, _ = fitted
        assert run("report", *words, cwd=folder).stdout == run("report", cwd=folder).stdout
        assert run("fit", *words, cwd=folder).returncode == 0

    def test_a_fit_can_be_named_by_its_folder(self, fitted):
        folder, _ = fitted
        path = json.loads(run("report", "--json", cwd=folder).stdout)["folder"]
        assert run("report", path, cwd=folder).stdout == run("report", cwd=folder).stdout

    def test_a_gate_that_is_not_met_exits_with_3_and_the_fit_is_not_usable(self, fitted):
        folder, _ = fitted
        fit = json.loads(run("fit", "--json", cwd=folder).stdout)
        info = folder / fit["folder"] / "model.json"
        done = run("fit", "--min-accuracy", "0", "--min-recall", "red=0", cwd=folder)
        assert done.returncode == 0
        assert json.loads(info.read_text())["usable"] is True
        # No recall is above 1: what is asked of two classes is missed by the one that is not there.
        report = json.loads(run("report", "--json", cwd=folder).stdout)
        gates = ("--min-accuracy", "1", *(f"--min-recall={n}=1" for n in ("red", "blue", "green")))
        done = run("fit", *gates, cwd=folder)
        perfect = report["accuracy"] == 1
        assert done.returncode == (0 if perfect else 3)
        assert json.loads(info.read_text())["usable"] is perfect
        assert run("report", *gates, cwd=folder).returncode == (0 if perfect else 3)

    def test_gates_are_judged_one_by_one(self, capsys):
        per_class = ({"name": "cat", "recall": 0.8}, {"name": "dog", "recall": None})
        report = make_report(accuracy=0.9, per_class=per_class, class_names=("cat", "dog"))
        result = FitResult(report=report, folder=None, reused=False)
        fits.check_gates(Terminal(), [result], Gates(min_accuracy=0.9, min_recall={"cat": 0.8}))
        with pytest.raises(typer.Exit) as caught:
            fits.check_gates(Terminal(), [result], Gates(min_recall={"cat": 0.9, "dog": 0.1}))
        assert caught.value.exit_code == 3
        said = " ".join(capsys.readouterr().err.split())
        assert "recall of cat is 0.8000, at least 0.9 was demanded" in said
        assert "recall of dog is unknown" in said

    @pytest.mark.parametrize("gate", ["red", "red=", "red=high", "red=1.5", "=0.5", "pink=0.5"])
    def test_a_recall_that_makes_no_sense_is_wrong_usage(self, fitted, gate):
        folder, _ = fitted
        done = run("fit", "--min-recall", gate, cwd=folder)
        assert done.returncode == 2
        assert "--min-recall" in done.stderr

    def test_all_classifiers_are_put_into_one_table(self, fitted, tmp_path):
        folder, _ = fitted
        done = run("fit", "--clf", "all", "--no-tune", cwd=folder)
        assert done.returncode == 0, done.stderr
        for clf in CLASSIFIERS:
            assert clf in done.stdout
        compared = run("compare", cwd=folder)
        assert compared.returncode == 0, compared.stderr
        fields = json.loads(run("fit", "--clf", "all", "--no-tune", "--json", cwd=folder).stdout)
        assert [result["clf"] for result in fields] == list(CLASSIFIERS)
        assert all(result["reused"] for result in fields)
        named = run("compare", *(fields[i]["folder"] for i in (0, 1)), "--json", cwd=folder)
        assert named.returncode == 0, named.stderr

    def test_a_sweep_extracts_what_is_missing_and_goes_on_after_an_error(self, fitted, tmp_path):
        folder, _ = fitted
        models = "efficientnet-lite0,vgg61,efficientnet-lite1"
        words = ("sweep", "--models", models, "--dataset", "photos", *SMALL[:4], "--clf", "ridge")
        done = run(*words, "--to", tmp_path / "table.csv", cwd=folder)
        assert done.returncode == 1
        assert "vgg61" in done.stderr
        for part in ("efficientnet-lite0", "efficientnet-lite1", "ridge"):
            assert part in done.stdout
        lines = (tmp_path / "table.csv").read_text().splitlines()
        assert len(lines) == 4
        fields = json.loads(run(*words, "--json", cwd=folder).stdout)
        assert [row["error"] is None for row in fields["rows"]] == [True, True, False]

    def test_a_streamed_fit_says_so(self, fitted):
        folder, _ = fitted
        fields = json.loads(run("fit", "--stream", "--json", cwd=folder).stdout)
        assert fields["settings"]["stream"] is True
        assert any("block by block" in note for note in fields["notes"])
        for words in ((), ("--json",), ("--to", folder / "streamed.html", "--no-tsne")):
            done = run("report", *words, cwd=folder)
            assert done.returncode == 0, done.stderr
        done = run("fit", "--stream", "--clf", "knn", cwd=folder)
        assert done.returncode == 2
        assert "--stream" in done.stderr

    def test_images_of_one_group_stay_together(self, fitted):
        folder, _ = fitted
        words = ("fit", "--group-by", r"(\d)\.jpg", "--no-tune", "--json")
        fields = json.loads(run(*words, cwd=folder).stdout)
        assert any("group" in note for note in fields["notes"])
        done = run("fit", "--group-by", "(", cwd=folder)
        assert done.returncode == 2
        assert "--group-by" in done.stderr

    @pytest.mark.parametrize("gate", ["1.1", "95", "-1", "nan", "inf"])
    def test_a_gate_that_is_no_share_is_wrong_usage(self, fitted, gate):
        folder, _ = fitted
        done = run("report", "--min-accuracy", gate, cwd=folder)
        assert done.returncode == 2
        assert "a share from 0 to 1" in done.stderr

    def test_without_a_cache_each_says_what_to_run(self, tmp_path):
        for command, hint in (("fit", "Run: extract"), ("report --html", "fit")):
            done = run(*command.split(), cwd=tmp_path)
            assert done.returncode == 1
            assert hint in done.stderr
            assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def page(fitted):
    """The page that fit makes by itself."""
    folder, done = fitted
    return folder / re.search(r"page +(\S+)", done.stdout)[1]


class TestPagesAndFigures:
    def test_fit_makes_a_page_and_says_where(self, page):
        assert page.name == "report.html"
        html = page.read_text()
        assert "not an image" in html
        assert "Not in this page" in html

    def test_fit_makes_none_if_told_so_and_makes_it_the_next_time(self, fitted):
        folder, _ = fitted
        words = ("fit", "--clf", "ridge", "--seed", "7", "--json")
        without = json.loads(run(*words, "--no-html", cwd=folder).stdout)
        assert without["page"] is None
        assert not (folder / without["folder"] / "report.html").exists()
        again = json.loads(run(*words, cwd=folder).stdout)
        assert again["reused"] is True
        assert (folder / again["page"]).is_file()

    def test_a_page_that_is_there_is_left_alone(self, fitted, page):
        folder, _ = fitted
        before = page.stat().st_mtime_ns
        assert run("fit", "--clf", "logreg", cwd=folder).returncode == 0
        assert page.stat().st_mtime_ns == before

    def test_a_page_is_made_again_with_all_of_it_when_other_things_are_demanded(self, fitted):
        folder, _ = fitted
        words = ("fit", "--clf", "ridge", "--seed", "9", "--json")
        page = folder / json.loads(run(*words, cwd=folder).stdout)["page"]
        assert "was demanded" not in page.read_text()
        done = run(*words, "--min-accuracy", "0.01", cwd=folder)
        assert json.loads(done.stdout)["page"] is not None
        assert "Met:" in page.read_text()
        assert run(*words, cwd=folder).returncode == 0
        assert "Met:" not in page.read_text()

    @pytest.mark.parametrize("error", [MemoryError(), OSError(5, "Input/output error")])
    def test_a_fit_is_made_whatever_becomes_of_its_page(self, fitted, monkeypatch, capsys, error):
        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr("pipeline.stages.page.write_page", fail)
        folder, _ = fitted
        result = FitResult(report=make_report(), folder=folder, reused=False)
        assert fits._make_quick_page(Terminal(), result) is result
        assert "There is no page:" in capsys.readouterr().err

    def test_report_makes_a_page_with_everything(self, fitted, tmp_path):
        folder, _ = fitted
        done = run("report", "--to", tmp_path / "new" / "page.html", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert f"Page: {tmp_path / 'new' / 'page.html'}" in done.stderr.replace("\n", "")
        html = (tmp_path / "new" / "page.html").read_text()
        assert "t-SNE" in html
        assert "Not in this page" not in html
        quick = ("--no-tsne", "--no-explain")
        done = run("report", "--html", *quick, "--to", tmp_path / "quick.html", cwd=folder)
        missing = "Not in this page, since it takes longer: a map by t-SNE"
        assert missing in (tmp_path / "quick.html").read_text()

    def test_report_draws_figures(self, fitted, tmp_path):
        folder, _ = fitted
        done = run("report", "--figures", tmp_path / "figures", cwd=folder)
        assert done.returncode == 0, done.stderr
        names = {path.name for path in (tmp_path / "figures").iterdir()}
        assert {"confusion.png", "confusion.svg", "tsne.png", "roc.svg"} <= names

    def test_a_place_that_cannot_be_written_is_a_clear_error(self, fitted, tmp_path):
        folder, _ = fitted
        (tmp_path / "file").touch()
        for words in (("--to", tmp_path / "file" / "x.html"), ("--figures", tmp_path / "file")):
            done = run("report", "--no-tsne", "--no-explain", *words, cwd=folder)
            assert done.returncode == 1
            assert "could not be written" in done.stderr
            assert "Traceback" not in done.stderr

    def test_compare_makes_a_page(self, fitted, tmp_path):
        folder, _ = fitted
        for clf in ("knn", "logreg"):
            assert run("fit", "--clf", clf, "--no-html", cwd=folder).returncode == 0
        done = run("compare", "--html", cwd=folder)
        assert done.returncode == 0, done.stderr
        page = folder / "cache" / "photos" / "comparison.html"
        assert "is right most often" in page.read_text()
        done = run("compare", "--to", tmp_path / "page.html", cwd=folder)
        assert (tmp_path / "page.html").read_text() == page.read_text()

    @pytest.mark.parametrize("what", ["images", "values", "pca", "tsne"])
    def test_a_store_can_be_drawn(self, extracted, tmp_path, what):
        folder, _ = extracted
        done = run("plot", what, "--to", tmp_path / "figure.svg", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(tmp_path / "figure.svg")
        assert "<svg" in (tmp_path / "figure.svg").read_text()

    def test_a_figure_has_a_name_by_itself(self, extracted):
        folder, _ = extracted
        fields = json.loads(run("plot", "values", "--json", cwd=folder).stdout)
        assert fields == {"path": "photos-values.png"}
        assert (folder / "photos-values.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (("pca", "--to", "x.pdf"), 2, ".png or .svg"),
            (("values", "--image", "red/nothere.jpg"), 2, "has no image"),
            (("images", "--cache", "nowhere"), 1, "nowhere"),
            (("images", "--limit", "0"), 2, "at least 1"),
        ],
    )
    def test_what_cannot_be_drawn_is_a_clear_error(self, extracted, words, code, said):
        folder, _ = extracted
        done = run("plot", *words, cwd=folder)
        assert done.returncode == code, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr


class TestOthers:
    def test_models_lists_every_backbone(self, tmp_path):
        models = json.loads(run("models", "--json", cwd=tmp_path).stdout)
        assert len(models) == 43
        table = run("models", cwd=tmp_path).stdout
        assert all(model["name"] in table for model in models)

    def test_datasets_says_where_to_put_files(self, tmp_path):
        found = json.loads(run("datasets", "--json", cwd=tmp_path).stdout)
        assert [d["name"] for d in found][:2] == ["digits", "dogs-vs-cats"]
        table = run("datasets", cwd=tmp_path).stdout
        assert "kagglecatsanddogs_5340.zip" in table.replace("\n", "").replace(" ", "")

    def test_version(self, tmp_path):
        assert re.match(r"transfer-values \d+\.\d+", run("--version", cwd=tmp_path).stdout)


class TestDocumentation:
    REFERENCE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("group", "command"),
        [("", command) for command in app.registered_commands]
        + [("cache ", command) for command in cache_app.registered_commands]
        + [("plot ", command) for command in plot_app.registered_commands],
        ids=lambda item: item if isinstance(item, str) else item.name,
    )
    def test_every_command_and_flag_is_documented(self, group, command):
        name = f"## pipeline {group}{command.name}\n"
        section = self.REFERENCE.split(name)[1].split("\n## ")[0]
        for parameter in inspect.signature(command.callback).parameters.values():
            (flag,) = parameter.annotation.__metadata__
            assert f"`{(flag.param_decls or (parameter.name.upper(),))[0]}`" in section

    def test_the_reference_is_up_to_date(self):
        script = ROOT / "scripts" / "cli_reference.py"
        done = subprocess.run(
            [sys.executable, script, "--check"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

"""`advise` as it is typed, with engines that compute colours."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from pipeline.cli import app, steps
from tests.conftest import save_photo
from tests.stages.test_advise import Engines
from tests.test_imports import loaded_by


@pytest.fixture
def engines(monkeypatch):
    engines = Engines()
    monkeypatch.setattr(steps, "open_engine", engines)
    return engines


def words_for(photos, tmp_path, *more):
    return [
        *("advise", "--dataset", str(photos), "--cache-dir", str(tmp_path / "cache")),
        *("--weights", "random", "--image-size", "32", *more),
    ]


def run(photos, tmp_path, *more):
    done = CliRunner().invoke(app, words_for(photos, tmp_path, *more))
    assert done.exit_code == 0, done.output
    return done


def test_it_says_the_case_and_the_command(photos, tmp_path, engines):
    done = run(photos, tmp_path)
    assert "Case 1 of 4" in done.stdout
    assert f"pipeline run --dataset {photos} --model efficientnet-lite0" in done.stdout
    assert "on up to 36 images" in done.stderr


def test_json_has_all_of_it(photos, tmp_path, engines):
    advice = json.loads(run(photos, tmp_path, "--json").stdout)
    assert (advice["case"], advice["size"], advice["likeness"]) == (1, "small", "similar")
    assert advice["probed"]["late"]["accuracy"] == 1
    assert advice["counts"]["n_classes"] == 3
    assert shlex.split(advice["steps"][0]["command"])[:2] == ["pipeline", "run"]
    assert advice["reused"] is False


def test_asked_again_nothing_is_computed(photos, tmp_path, engines):
    first = json.loads(run(photos, tmp_path, "--json").stdout)
    computed = engines.late.n_images
    again = run(photos, tmp_path, "--json")
    assert json.loads(again.stdout) == {**first, "reused": True}
    assert "nothing to compute" in again.stderr
    assert engines.late.n_images == computed
    run(photos, tmp_path, "--overwrite")
    assert engines.late.n_images == 2 * computed


def test_other_images_are_tried_anew(photos, tmp_path, engines):
    run(photos, tmp_path)
    save_photo(photos / "red" / "new.jpg", seed=999, tint=(180, 0, 0))
    assert json.loads(run(photos, tmp_path, "--json").stdout)["reused"] is False


def test_asked_again_no_heavy_library_is_loaded(photos, tmp_path, engines):
    run(photos, tmp_path)
    code = (
        "import contextlib, sys\n"
        "from pipeline.cli import main\n"
        f"sys.argv = ['pipeline', *{words_for(photos, tmp_path, '--quiet')!r}]\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main()\n"
    )
    # zarr is what knows where a store lies.
    assert loaded_by(code) <= {"zarr"}


def test_two_networks_at_once_are_refused(photos, tmp_path, engines):
    done = CliRunner().invoke(
        app, words_for(photos, tmp_path, "--model", "efficientnet-lite0+vgg16")
    )
    assert done.exit_code == 2
    assert "Ask about each" in done.output


def test_a_folder_of_one_class_is_an_error_and_no_traceback(photos, tmp_path, engines):
    done = CliRunner().invoke(app, words_for(photos / "red", tmp_path))
    assert done.exit_code == 1
    assert "error: " in done.output

"""`pipeline export` as a user meets it."""

import json

import pytest

from pipeline.artifacts import newest_fit
from tests.conftest import TINTS, save_photo
from tests.exporting_fits import extract_small, settle
from tests.test_cli import run
from tests.test_imports import loaded_by


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli-export")
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            save_photo(root / "photos" / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    settle(extract_small(root / "photos", root / "cache"), clf="logreg")
    return root


def test_the_newest_fit_becomes_a_file_here(folder):
    done = run("export", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    export = json.loads(done.stdout)
    assert export["files"] == ["photos-logreg.keras"]
    assert export["check"]["n_images"] == 32
    assert export["check"]["largest"] < 1e-3
    assert (folder / "photos-logreg.keras.md").is_file()
    assert done.stderr.splitlines() == [
        f"Writing {newest_fit(folder / 'cache').relative_to(folder)} as photos-logreg.keras ..."
    ]


def test_numpy_needs_no_deep_learning_framework(folder):
    words = ["pipeline", "export", "--format", "npz", "--to", "head.npz"]
    code = (
        "import contextlib, io, os, sys\n"
        "from pipeline.cli import main\n"
        f"os.chdir({str(folder)!r})\n"
        f"sys.argv = {words!r}\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main()\n"
        "assert os.path.exists('head.npz')"
    )
    assert not loaded_by(code) & {"tensorflow", "keras", "openvino"}
    done = run("export", "--to", "head.npz", "--overwrite", cwd=folder)
    assert "same labels as predict on 32 images of 3 classes" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--to", "there.onnx"), 1, "there.onnx is there already"),
        (("--to", "model.pb", "--format", "onnx"), 2, "ends in .onnx"),
        (("--format", "pickle"), 2, "--format must be one of keras, onnx"),
        (("--fit", "nowhere"), 1, "There is no fit at nowhere"),
        (("--clf", "svm"), 1, "No fit of --clf svm"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(folder, words, code, said):
    (folder / "there.onnx").write_text("mine")
    done = run("export", *words, cwd=folder)
    assert done.returncode == code
    assert said in done.stderr
    assert (folder / "there.onnx").read_text() == "mine"

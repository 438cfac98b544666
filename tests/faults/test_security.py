"""What a hostile file or name must not be able to do, as the commands meet it."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import artifacts
from pipeline.config import FitConfig
from pipeline.errors import ArtifactTamperedError, ClassifierError
from pipeline.printing import render_headline, render_report
from pipeline.stages.fit import fit
from pipeline.stages.report import find_fit, report
from tests.faults.test_classifier import extract_with

HOSTILE = ("[red]x[bold]", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07")


class Payload:
    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return Path.touch, (self.proof,)


@pytest.fixture
def store(photos, tmp_path, engine):
    return extract_with(engine, photos, tmp_path)


def test_fault_53_no_command_unpickles_a_file_that_was_swapped(store, tmp_path):
    made, proof = fit(store, FitConfig()), tmp_path / "executed"
    model = made.folder / "model.joblib"
    model.write_bytes(pickle.dumps(Payload(proof)))
    assert report(tmp_path / "cache").report == made.report  # which needs no classifier
    for use in (find_fit, lambda *_: artifacts.load_model(made.folder)):
        with pytest.raises(ArtifactTamperedError, match=r"model\.joblib.*It was not opened"):
            use(store, FitConfig())
    fit(store, FitConfig())
    assert not proof.exists()
    assert artifacts.load_model(made.folder).classifier is not None
    pickle.loads(pickle.dumps(Payload(proof)))
    assert proof.exists()


def test_fault_54_a_fit_by_another_scikit_learn_is_made_anew_and_refused_by_name(
    store, monkeypatch
):
    made = fit(store, FitConfig())
    for module in (artifacts.description, artifacts.loading):
        monkeypatch.setattr(module, "version", lambda name: "9.9")
    assert find_fit(store, FitConfig()) is None
    with pytest.raises(ClassifierError, match=r"scikit-learn [\d.]+, here is 9\.9.*--force"):
        artifacts.load_model(made.folder)
    assert artifacts.load_model(made.folder, force=True).classifier is not None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"sha256": "", "files": {}}', b"\xff"])
def test_fault_55_a_fit_whose_account_was_overwritten_is_refused(store, tmp_path, content):
    made = fit(store, FitConfig())
    (made.folder / "model.json").write_bytes(content)
    for use in (
        lambda: find_fit(store, FitConfig()),
        lambda: report(tmp_path / "cache", fit=made.folder),
        lambda: artifacts.load_model(made.folder),
    ):
        with pytest.raises(ArtifactTamperedError, match=r"model\.json .*Run fit again"):
            use()


WATCH_KERAS = """
import json, os, sys
touched = set()
def watch(event, arguments):
    if event in ("open", "os.mkdir", "os.listdir", "os.rename"):
        touched.add(os.fspath(arguments[0]) if isinstance(arguments[0], (str, os.PathLike)) else "")
sys.addaudithook(watch)
import numpy as np
from pipeline.backbones.engines import open_engine
from pipeline.backbones.network import Network
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import fetch_weights
from pipeline.errors import WeightsNotFoundError
lite0 = get_spec("efficientnet-lite0")
network = Network.of(lite0, fetch_weights(lite0, "imagenet"), image_size=32)
open_engine(network, device="cpu").infer((np.zeros((1, 32, 32, 3), np.uint8),))
try:
    fetch_weights(get_spec("vgg16"), "imagenet")
except WeightsNotFoundError as error:
    message = str(error)
print(json.dumps([message, [path for path in touched if ".keras" in path]]))
"""


def test_fault_57_without_a_home_that_can_be_written_no_other_folder_is_used(tmp_path):
    (tmp_path / "file").write_text("where a folder would have to be")
    home = tmp_path / "file" / "home"
    unset = ("KERAS_HOME", "TF_CPP_MIN_LOG_LEVEL")
    ran = subprocess.run(
        [sys.executable, "-c", WATCH_KERAS],
        env={name: value for name, value in os.environ.items() if name not in unset}
        | {"HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    message, touched = json.loads(ran.stdout)
    assert f"{home}/.keras/models cannot be written" in message
    assert "Set KERAS_HOME to a folder of your own" in message
    assert [path for path in touched if not path.startswith(str(home))] == []


def test_fault_57_hostile_class_names_are_printed_as_they_are_and_do_nothing(
    photos, tmp_path, engine, capfd
):
    for old, new in zip(sorted(photos.iterdir()), HOSTILE, strict=True):
        old.rename(photos / new)
    made = fit(extract_with(engine, photos, tmp_path), FitConfig(clf="knn"))
    assert set(made.report.class_names) == set(HOSTILE)
    console = Console(width=120, force_terminal=True, color_system=None, highlight=False)
    console.print(render_report(made.report, width=console.width, encoding="utf-8"))
    console.print(render_headline(made.report))
    shown = capfd.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    for name in HOSTILE:
        assert name.replace("\x1b", "\\x1b").replace("\x07", "\\x07") in shown

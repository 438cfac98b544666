import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import durable
from pipeline.artifacts import mark_gates, page_path
from pipeline.artifacts.leftovers import list_foreign
from pipeline.errors import ClassifierError, ClassifierNotFoundError, ConfigError
from pipeline.showing import pictures
from pipeline.showing.evidence import read_evidence
from pipeline.stages import figures as figures_stage
from pipeline.stages import page as stage
from pipeline.stages.figures import write_figures
from pipeline.stages.page import write_page
from tests.showing.conftest import fit_photos, fitted

__all__ = ["fitted"]


def test_the_page_lies_with_the_fit_and_is_whole(fitted):
    page = write_page(fitted)
    assert page.path == page_path(fitted)
    html = page.path.read_text()
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")
    assert "odd" in html  # the mistakes are shown
    assert page.notes == (
        "Not in this page, since it takes longer: a map by t-SNE and what spoke for the mistakes. "
        "Run: report --html",
    )
    assert list_foreign(fitted.parent) == []


def test_every_metric_in_it_is_in_metrics_json(fitted):
    html = write_page(fitted).path.read_text()
    metrics = json.loads((fitted / "metrics.json").read_bytes())
    found = re.findall(r'<data[^>]* data-metric="([^"]+)"[^>]* value="([^"]+)"', html)
    assert len(found) > 20
    for path, value in found:
        expected = metrics
        for part in path.split("."):
            expected = expected[int(part)] if isinstance(expected, list) else expected[part]
        assert float(value) == expected, path
    named = {path for path, _ in found}
    assert {"accuracy", "intervals.accuracy.0", "n_test", "per_class.0.recall"} <= named


def test_the_page_can_be_made_elsewhere(fitted, tmp_path):
    page = write_page(fitted, to=tmp_path / "mail" / "me.html")
    assert page.path == tmp_path / "mail" / "me.html"
    assert page.path.read_text().startswith("<!doctype html>")
    assert not page_path(fitted).exists()


@pytest.mark.parametrize("to", [None, "page.html"])
def test_no_room_leaves_nothing_and_says_where_else(fitted, tmp_path, monkeypatch, to):
    def fail(action, path):
        if action == "write" and path.suffix == ".html":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "step", fail)
    with pytest.raises(ClassifierError, match=r"No space left.*report --html --to FILE"):
        write_page(fitted, to=to and tmp_path / to)
    assert not list(tmp_path.glob("*.html")) + list(fitted.glob("*.html*"))


def test_a_page_without_its_store_says_what_is_missing(fitted):
    store = read_evidence(fitted).store
    store.rename(store.with_name("elsewhere.zarr"))
    page = write_page(fitted)
    assert "The images and the map are missing" in page.notes[0]
    assert "The images and the map are missing" in page.path.read_text()


@pytest.mark.parametrize("name", ["metrics.json", "page", "page.html.gz"])
def test_what_is_no_page_is_not_replaced(fitted, name):
    before = (fitted / "metrics.json").read_bytes()
    with pytest.raises(ConfigError, match=r"written as \.html or \.htm"):
        write_page(fitted, to=fitted / name)
    assert (fitted / "metrics.json").read_bytes() == before
    assert not (fitted / "page").exists()


def test_no_fit(tmp_path):
    with pytest.raises(ClassifierNotFoundError):
        write_page(tmp_path)


def test_a_classifier_that_cannot_be_loaded_only_costs_the_explanations(fitted, monkeypatch):
    def refuse(folder, *, force):
        raise ClassifierError("It is of another version.")

    monkeypatch.setattr(stage, "load_model", refuse)
    page = write_page(fitted, open_maps=lambda job: None)
    said = "The mistakes are not explained: It is of another version."
    assert said in page.notes
    assert said in page.path.read_text()


def test_with_a_map_by_tsne_that_was_kept_only_the_explanations_are_missing(fitted):
    write_page(fitted, compute_maps=("tsne",))
    page = write_page(fitted, find_maps=("tsne",))
    assert page.notes == (
        "Not in this page, since it takes longer: what spoke for the mistakes. Run: report --html",
    )


def test_gates_are_those_of_the_caller_or_the_last(fitted):
    gate = {"name": "accuracy", "least": 0.999, "found": 0.9, "met": False}
    assert "Not met" not in write_page(fitted).path.read_text()
    assert "Not met" in write_page(fitted, gates=[gate]).path.read_text()
    mark_gates(fitted, [gate])
    assert "Not met" in write_page(fitted).path.read_text()


def test_a_cut_page_shows_rows_that_belong_together(fitted, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_ROWS", 26)
    evidence = read_evidence(fitted)
    data = json.loads(
        re.search(r'id="page-data">(.*?)</script>', write_page(fitted).path.read_text())[1]
    )
    place = {path: row for row, path in enumerate(evidence.rows.paths)}
    said = data["rows"]
    rows = [place[path] for path in said["paths"]]
    assert len(rows) == 26
    assert said["true"] == evidence.rows.y_true[rows].tolist()
    assert said["predicted"] == evidence.rows.y_pred[rows].tolist()
    assert len(data["thumbnails"]) == 26
    for number, path in enumerate(said["paths"]):
        shown = Image.open(io.BytesIO(base64.b64decode(data["thumbnails"][str(number)])))
        whole = Image.open(Path(evidence.samples.root) / path)
        means = [np.asarray(image.convert("RGB")).mean(axis=(0, 1)) for image in (shown, whole)]
        np.testing.assert_allclose(*means, atol=8)
    wrong = set(np.flatnonzero(~evidence.is_correct).tolist())
    assert wrong <= set(rows)


def test_two_classes_and_an_svm(photos, tmp_path):
    for path in sorted((photos / "green").iterdir()):
        path.unlink()
    (photos / "green").rmdir()
    page = write_page(fit_photos(photos, tmp_path / "cache", clf="svm"))
    assert page.path.read_text().count('data-metric="accuracy"') >= 1


class TestFigures:
    def test_png_and_svg_of_each(self, fitted, tmp_path):
        written = write_figures(fitted, tmp_path / "figures", compute_maps=("pca", "tsne"))
        names = {path.name for path in written}
        expected = {"confusion", "roc", "precision_recall", "calibration", "per_class", "tuning"}
        expected |= {"pca", "tsne", "errors"}
        assert names == {f"{name}.{suffix}" for name in expected for suffix in ("png", "svg")}
        for path in written:
            start = path.read_bytes()[:200]
            assert (
                start.startswith(b"\x89PNG")
                if path.suffix == ".png"
                else b"<svg" in start or (b"<?xml" in start)
            )

    def test_the_same_bytes_again(self, fitted, tmp_path):
        first = {p.name: p.read_bytes() for p in write_figures(fitted, tmp_path / "a")}
        again = {p.name: p.read_bytes() for p in write_figures(fitted, tmp_path / "b")}
        assert first == again

    def test_a_mistake_whose_image_changed_is_left_out(self, fitted, tmp_path):
        evidence = read_evidence(fitted)
        for mistake in evidence.report.mistakes:
            (tmp_path / "photos" / mistake["path"]).write_bytes(b"else")
        names = {path.name for path in write_figures(fitted, tmp_path / "figures")}
        assert "errors.png" not in names
        assert "confusion.png" in names

    def test_no_room(self, fitted, tmp_path, monkeypatch):
        def fail(path, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(figures_stage, "write_file", fail)
        with pytest.raises(ClassifierError, match=r"No space left.*Name another folder"):
            write_figures(fitted, tmp_path / "figures")

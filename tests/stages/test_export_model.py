import errno
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipeline import self_check
from pipeline.artifacts import read_info
from pipeline.errors import CacheError, ClassifierError, ConfigError, PipelineError
from pipeline.model_places import card_path
from pipeline.predicting.settling import settle_fit
from pipeline.stages import export_model as stage
from pipeline.stages.export_model import export_model
from tests.conftest import TINTS, save_photo
from tests.exporting_fits import extract_small, settle

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("export")
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            save_photo(root / "photos" / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    large = np.random.default_rng(9).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(large).resize((500, 400)).save(root / "photos" / "red" / "large.jpg")
    return extract_small(root / "photos", root / "cache")


@pytest.fixture(scope="module")
def logreg(store):
    return settle(store, clf="logreg")


class FakeFormat:
    """Writes some bytes, and answers what it is told by the image's place."""

    def __init__(self, answers=None, error=None):
        self.answers, self.error, self.asked = answers, error, []

    def __call__(self, network, recipe, head, path, *, about, **settings):
        path.write_bytes(b"half")
        if self.error is not None:
            raise self.error
        path.write_bytes(json.dumps(about).encode())

        def run(images):
            self.asked.append(images)
            return self.answers[len(self.asked) - 1 : len(self.asked)]

        return run


def right_answers(predictor):
    rows = self_check.read_check_rows(
        predictor.model, predictor.store, predictor.score, predictor.job.geometries
    )
    answers = []
    for expected, in_full in zip(rows.expected, rows.in_full, strict=True):
        answers += [expected] if in_full is None else [expected, expected + 0.01]
    return np.array(answers), rows


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


class TestKeras:
    def test_a_fit_becomes_one_file_that_answers_as_predict_does(self, logreg, tmp_path):
        from pipeline.backbones import formats

        to = tmp_path / "new" / "model.keras"
        export = export_model(logreg, to, "keras", formats.make_file)
        assert export.files == (to,)
        assert export.n_bytes == to.stat().st_size
        assert (export.check.n_images, export.check.n_classes) == (32, 3)
        assert export.check.largest < 1e-3
        assert names_in(to.parent) == ["model.keras", "model.keras.md"]
        about = formats.read_about(to, "keras")
        assert about["class_names"] == list(TINTS)
        assert about["recipe"] == logreg.model.info["recipe"]
        assert "same classes as `predict`" in export.card.read_text()


class TestSelfCheck:
    def test_a_file_that_answers_the_same_is_kept(self, logreg, tmp_path):
        answers, rows = right_answers(logreg)
        fake = FakeFormat(answers)
        export = export_model(logreg, tmp_path / "m.keras", "keras", fake)
        assert export.check.largest == 0
        assert np.bincount(rows.labels).min() >= 10  # spread over the classes
        assert export.check.n_shrunk == sum(image is not None for image in rows.in_full)
        assert {images.dtype for images in fake.asked} == {np.dtype(np.uint8)}

    def test_large_photos_are_given_as_predict_has_them_and_in_full(self, logreg):
        _, rows = right_answers(logreg)
        where = [i for i, path in enumerate(rows.paths) if path == "red/large.jpg"]
        for i in where:
            assert rows.images[i].shape == (32, 32, 3)
            assert rows.in_full[i].shape == (400, 500, 3)
        assert all(rows.images[i].shape == (24, 32, 3) for i in range(32) if i not in where)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda row: row[::-1], "answers with another class"),
            (lambda row: row + 0.002, r"differ by up to 0\.002, more than 0\.001"),
            (lambda row: row * np.nan, "differ by up to inf|another class"),
            (lambda row: row[:2], "another class|inf"),
        ],
    )
    def test_a_file_that_answers_otherwise_is_removed(self, logreg, tmp_path, change, words):
        answers, rows = right_answers(logreg)
        fake = FakeFormat([*answers[:3], change(answers[3])])
        with pytest.raises(PipelineError, match=words) as caught:
            export_model(logreg, tmp_path / "m.keras", "keras", fake)
        assert any(path in str(caught.value) for path in rows.paths)
        assert names_in(tmp_path) == []

    def test_what_is_near_enough_can_be_said(self, logreg, tmp_path):
        answers = right_answers(logreg)[0] + np.array([0.002, 0, 0])
        to = tmp_path / "m.keras"
        with pytest.raises(PipelineError, match="--tolerance"):
            export_model(logreg, to, "keras", FakeFormat(answers))
        export = export_model(logreg, to, "keras", FakeFormat(answers), tolerance=0.01)
        assert export.check.largest == pytest.approx(0.002)
        assert "allowed: 0.01" in export.card.read_text()
        with pytest.raises(ConfigError, match="--tolerance must lie above 0"):
            export_model(logreg, to, "keras", FakeFormat(answers), tolerance=0)

    def test_bfloat16_is_named_where_it_may_be_the_reason(self, logreg, tmp_path):
        job = logreg.job
        other = replace(job, recipe=replace(job.recipe, precision="bfloat16"))
        answers = right_answers(logreg)[0] + 0.01
        with pytest.raises(PipelineError, match="--precision float32"):
            export_model(
                replace(logreg, job=other), tmp_path / "m.keras", "keras", FakeFormat(answers)
            )

    def test_images_that_are_gone_need_no_check(self, logreg, tmp_path, monkeypatch):
        monkeypatch.setattr(self_check, "read_checked", lambda path, digest: None)
        with pytest.raises(PipelineError, match=r"not in .* any more.*--no-check"):
            export_model(logreg, tmp_path / "m.keras", "keras", FakeFormat())
        assert names_in(tmp_path) == []
        export = export_model(logreg, tmp_path / "m.keras", "keras", FakeFormat(), check=False)
        assert export.check is None
        assert "**Not checked**" in export.card.read_text()

    def test_without_the_store_it_needs_no_check(self, logreg, tmp_path):
        with pytest.raises(PipelineError, match=r"beside no store.*--no-check"):
            export_model(replace(logreg, store=None), tmp_path / "m.keras", "keras", FakeFormat())

    def test_a_store_that_was_made_anew_is_not_compared_with(self, logreg, tmp_path):
        info = {**logreg.model.info, "content_sha256": "0" * 64}
        other = replace(logreg, model=replace(logreg.model, info=info))
        with pytest.raises(CacheError, match=r"made anew.*--no-check"):
            export_model(other, tmp_path / "m.keras", "keras", FakeFormat())


class TestNumpy:
    @pytest.mark.parametrize("clf", ["logreg", "linear-svm", "ridge"])
    def test_a_linear_head_is_a_matrix(self, store, tmp_path, clf):
        predictor = settle(store, clf=clf)
        export = export_model(predictor, tmp_path / "h.npz", "npz", None)
        assert export.check.n_images == 32
        with np.load(tmp_path / "h.npz", allow_pickle=False) as head:
            assert head["weights"].shape == (32, 3)
            assert json.loads(str(head["class_names"])) == list(TINTS)
            assert json.loads(str(head["about"]))["clf"] == clf

    def test_another_classifier_is_refused(self, store, tmp_path):
        with pytest.raises(ClassifierError, match="linear classifier, which mlp is not"):
            export_model(settle(store, clf="mlp"), tmp_path / "h.npz", "npz", None)


class TestReplacing:
    def test_a_file_is_replaced_only_by_one_that_was_checked(self, logreg, tmp_path):
        to = tmp_path / "m.keras"
        to.write_text("before")
        answers, _ = right_answers(logreg)
        with pytest.raises(PipelineError):
            export_model(logreg, to, "keras", FakeFormat(answers + 0.01), overwrite=True)
        assert to.read_text() == "before"
        export_model(logreg, to, "keras", FakeFormat(answers), overwrite=True)
        assert json.loads(to.read_bytes())["class_names"] == list(TINTS)


class TestWhatGoesWrong:
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug")])
    def test_nothing_half_made_is_left(self, logreg, tmp_path, error):
        with pytest.raises(type(error)):
            export_model(logreg, tmp_path / "m.keras", "keras", FakeFormat(error=error))
        assert names_in(tmp_path) == []

    def test_a_full_disk_is_an_error_with_the_path(self, logreg, tmp_path):
        full = OSError(errno.ENOSPC, "No space left on device")
        with pytest.raises(PipelineError, match=r"Cannot write .*m\.keras: No space left"):
            export_model(logreg, tmp_path / "m.keras", "keras", FakeFormat(error=full))
        assert names_in(tmp_path) == []

    def test_a_disk_that_is_full_at_the_last_step(self, logreg, tmp_path, monkeypatch):
        def fail(source, target):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(stage.durable, "rename", fail)
        with pytest.raises(PipelineError, match="Input/output error"):
            export_model(logreg, tmp_path / "h.npz", "npz", None)
        assert names_in(tmp_path) == []


def test_a_fit_that_was_copied_elsewhere_is_exported_unchecked(store, tmp_path):
    moved = tmp_path / "product" / "fit"
    shutil.copytree(settle(store, clf="logreg").model.folder, moved)
    predictor = settle_fit(moved, cache_dir=tmp_path / "cache")
    assert predictor.store is None
    export = export_model(predictor, tmp_path / "h.npz", "npz", None, check=False)
    assert export.fit == moved
    assert card_path(tmp_path / "h.npz").is_file()
    assert read_info(moved)["clf"] == "logreg"

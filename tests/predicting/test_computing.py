"""Values as extraction computes them: one image as in a batch, and what is no image."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipeline.cache import read_features
from pipeline.errors import OutOfMemoryError
from pipeline.predicting import computing
from pipeline.predicting.computing import compute_values
from pipeline.records import Status
from tests.conftest import MeanColourEngine
from tests.faults.harness import files_of
from tests.made_fits import make_fit, open_fake, save_photos, settle


class TwoViews(MeanColourEngine):
    """Mean colours, and behind them a third of those."""

    width = 6
    widths = (6,)

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            yield np.concatenate([values, values / 3], axis=1)


def compute(job, images, open_engine=open_fake, **options):
    parts = list(compute_values(job, images, open_engine, **options))
    values = np.concatenate([part.values for part in parts])
    return values, np.concatenate([part.status for part in parts])


@pytest.fixture
def job(fitted):
    return settle(fitted[1]).job


@pytest.fixture
def photos(fitted):
    return sorted(map(str, (fitted[0] / "photos").glob("*/*.jpg")))


@pytest.mark.parametrize("settings", [{}, {"dtype": "float16"}, {"resize": "pad"}])
def test_the_values_are_those_of_the_store(tmp_path, settings):
    save_photos(tmp_path / "photos")
    predictor = settle(make_fit(tmp_path, **settings))
    table = read_features(predictor.store)
    values, status = compute(predictor.job, [f"{table.root}/{path}" for path in table.paths])
    np.testing.assert_array_equal(values, table.features)
    assert (status == Status.OK).all()


def test_the_average_of_the_views_counts(job, photos):
    plain, _ = compute(job, photos[:3])
    double = replace(job, recipe=replace(job.recipe, views=2))
    values, _ = compute(double, photos[:3], lambda job: TwoViews())
    np.testing.assert_array_equal(values, np.stack([plain, plain / 3]).mean(axis=0))


def test_fault_51_one_image_is_what_it_is_among_others(job, photos):
    together, _ = compute(job, photos)
    for row in (0, 3, 17, 35):
        alone, _ = compute(job, [photos[row]])
        np.testing.assert_array_equal(alone[0], together[row])
    backwards, _ = compute(job, photos[::-1])
    np.testing.assert_array_equal(backwards[::-1], together)


def test_fault_51_no_image_is_no_answer(job):
    assert list(compute_values(job, [], lambda job: pytest.fail("nothing to open"))) == []


def test_answers_come_before_all_images_are_read(job, photos, monkeypatch):
    """Memory stays bounded: no more images are decoded ahead than the engine needs."""
    read = []
    real = computing.read_given

    def watch(image, shapes):
        read.append(image)
        return real(image, shapes)

    monkeypatch.setattr(computing, "read_given", watch)
    monkeypatch.setattr(computing, "ROWS_A_TURN", 4)
    single = replace(job, config=replace(job.config, workers=1))
    parts = compute_values(single, photos * 10, open_fake)
    first = next(parts)
    assert (first.start, len(first.status)) == (0, 4)
    assert len(read) < 40  # of 360
    parts.close()
    assert len(read) < 40


def test_what_is_no_image_has_its_reason_and_no_number(job, photos, tmp_path):
    text, empty = tmp_path / "text.jpg", tmp_path / "empty.png"
    text.write_text("not an image")
    empty.write_bytes(b"")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes((job.config.cache_dir.parent / "photos/red/00.jpg").read_bytes()[:300])
    given = [photos[0], text, empty, cut, tmp_path / "gone.jpg", tmp_path, photos[1]]
    values, status = compute(job, given)
    assert [Status(s).name for s in status] == [
        *("OK", "NOT_AN_IMAGE", "EMPTY", "CORRUPT", "UNREADABLE", "UNREADABLE", "OK"),
    ]
    assert not values[1:6].any()
    np.testing.assert_array_equal(values[[0, 6]], compute(job, photos[:2])[0])


def test_a_value_that_is_not_finite_is_none(job, photos):
    class Broken(MeanColourEngine):
        def infer_many(self, batches):
            for values in super().infer_many(batches):
                values[1:] = [np.nan, np.inf, 1]
                yield values

    values, status = compute(job, photos[:3], lambda job: Broken())
    assert status.tolist() == [Status.OK, Status.NOT_FINITE, Status.NOT_FINITE]
    assert not values[1:].any()


def test_what_float16_cannot_hold_is_none(job, photos):
    class Large(MeanColourEngine):
        def infer_many(self, batches):
            for values in super().infer_many(batches):
                yield values * np.float32(1e6)

    half = replace(job, recipe=replace(job.recipe, dtype="float16"))
    assert compute(half, photos[:1], lambda job: Large())[1].tolist() == [Status.NOT_FINITE]


def test_arrays_go_the_way_of_files(job, photos, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 61, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "same.png")
    values, status = compute(job, [pixels, tmp_path / "same.png", pixels[::2, ::2]])
    assert status.tolist() == [Status.OK] * 3
    np.testing.assert_array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_arrays_without_pixels_are_none(job):
    nothing = np.zeros((0, 5, 3), np.uint8)
    assert compute(job, [nothing])[1].tolist() == [Status.EMPTY]


class TestFullMemory:
    def engines(self, fits):
        sizes = []

        def open_engine(job):
            size = job.fitting or 8
            sizes.append(size)

            class Engine(MeanColourEngine):
                def infer_many(self, batches):
                    for number, values in enumerate(super().infer_many(batches)):
                        if size > fits and number >= 8:  # 64 images are answered by then
                            raise OutOfMemoryError("full", batch_size=size)
                        yield values

            return Engine(size)

        return open_engine, sizes

    def test_it_goes_on_with_smaller_batches_and_answers_each_image_once(self, job, photos):
        open_engine, sizes = self.engines(fits=2)
        notes = []
        values, status = compute(job, photos * 5, open_engine, on_note=notes.append)
        assert sizes == [8, 4, 2]
        np.testing.assert_array_equal(values, compute(job, photos * 5)[0])
        assert len(status) == 180
        assert "going on with 4" in notes[0]

    def test_if_not_one_image_fits_it_is_an_error(self, job, photos):
        open_engine, _ = self.engines(fits=0)
        with pytest.raises(OutOfMemoryError):
            compute(job, photos * 5, open_engine)

    def test_nothing_is_remembered_of_it(self, job, photos):
        before = files_of(job.config.cache_dir)
        compute(job, photos * 5, self.engines(fits=4)[0])
        assert files_of(job.config.cache_dir) == before


def test_progress_is_told(job, photos):
    told = []
    compute(job, photos * 3, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 108), (64, 108), (108, 108)]

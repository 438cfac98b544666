import numpy as np
import pytest

from pipeline import durable
from pipeline.artifacts import (
    KeptMap,
    map_place,
    page_path,
    read_info,
    read_map,
    save_map,
    save_page,
)
from pipeline.artifacts.leftovers import list_foreign, list_partial_fits, remove_fits
from pipeline.artifacts.locking import lock_fits
from pipeline.artifacts.pages import LOCK_SECONDS
from pipeline.config import FitConfig
from pipeline.errors import CacheLockedError, ClassifierError, ClassifierNotFoundError
from pipeline.stages import fit as fit_stage
from tests.feature_tables import make_table, serve_table

MAP = KeptMap(points=np.arange(6, dtype=np.float32).reshape(3, 2), explained=(0.5, 0.25))
OF = {
    "method": "tsne",
    "versions": {"numpy": "2.0"},
    "content_sha256": "ab",
    "paths": ["a"],
    "seed": 0,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A real fit."""
    serve_table(monkeypatch, make_table())
    store = tmp_path / "clouds" / "fake-abababab.zarr"
    return fit_stage.fit(store, FitConfig(clf="knn")).folder


@pytest.fixture
def kept(folder):
    """The place of a map beside the fit."""
    place = map_place(folder.parent, **OF)
    save_map(place, MAP)
    return place


def save(folder, html):
    return save_page(folder, html, files=read_info(folder)["files"])


def test_a_page_lies_among_the_files_of_its_fit(folder):
    assert save(folder, "<p>ä</p>") == page_path(folder) == folder / "report.html"
    assert page_path(folder).read_bytes() == "<p>ä</p>".encode()
    assert list_foreign(folder.parent) == []


def test_a_page_that_cannot_be_written_leaves_the_old_one(folder, monkeypatch):
    save(folder, "old")

    def fail(action, path):
        if action == "rename":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "step", fail)
    with pytest.raises(OSError, match="No space"):
        save(folder, "new")
    assert page_path(folder).read_text() == "old"
    assert sorted(p.name for p in folder.iterdir() if "partial" in p.name) == []


def test_what_a_killed_writer_left_is_no_foreign_file_and_goes_with_the_next_page(folder):
    left = folder / ".report.html.0123abcd.partial"
    left.touch()
    assert list_foreign(folder.parent) == []
    save(folder, "new")
    assert not left.exists()


def test_a_page_waits_for_whoever_writes_beside_it(folder, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.pages.LOCK_SECONDS", 0)
    assert LOCK_SECONDS > 0
    with lock_fits(folder.parent), pytest.raises(CacheLockedError):
        save(folder, "new")


def test_a_fit_that_was_removed_is_not_half_made_again_by_its_page(folder):
    files = read_info(folder)["files"]
    remove_fits(folder.parent)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with pytest.raises(ClassifierNotFoundError):
        save_page(folder, "page", files=files)
    assert not folder.exists()


def test_a_page_of_a_fit_that_was_replaced_does_not_go_into_the_new_one(folder, monkeypatch):
    files = read_info(folder)["files"]
    serve_table(monkeypatch, make_table(spread=2.0))
    fit_stage.fit(folder.parent.with_suffix(".zarr"), FitConfig(clf="knn"))
    with pytest.raises(ClassifierError, match=r"fitted anew.*Run report --html again"):
        save_page(folder, "page", files=files)
    assert not page_path(folder).exists()


def test_a_map_comes_back_as_it_was(kept):
    found = read_map(kept, n_points=3)
    np.testing.assert_array_equal(found.points, MAP.points)
    assert found.points.dtype == np.float32
    assert found.explained == MAP.explained
    save_map(kept, KeptMap(points=MAP.points, explained=None))
    assert read_map(kept, n_points=3).explained is None


def test_a_map_is_known_and_goes_with_the_fits(kept):
    fits = kept.path.parent
    assert list_foreign(fits) == []
    left = kept.path.with_name(f".{kept.path.name}.0123abcd.partial")
    left.touch()
    assert list_foreign(fits) == []
    assert list_partial_fits(fits) == [left]
    remove_fits(fits)
    assert not fits.exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "pca"},
        {"versions": {"numpy": "2.1"}},
        {"content_sha256": "cd"},
        {"paths": ["b"]},
        {"seed": 1},
    ],
)
def test_maps_of_something_else_lie_elsewhere_and_are_not_taken_for_it(kept, changed):
    other = map_place(kept.path.parent, **{**OF, **changed})
    assert other.path != kept.path
    other.path.write_bytes(kept.path.read_bytes())
    assert read_map(other, n_points=3) is None


def test_a_map_that_is_gone_or_of_other_rows_counts_as_none(kept):
    assert read_map(kept, n_points=4) is None
    kept.path.unlink()
    assert read_map(kept, n_points=3) is None


def test_no_flip_of_a_bit_and_no_cut_gives_another_map(kept):
    data = kept.path.read_bytes()
    for k in range(8 * len(data)):
        changed = bytearray(data)
        changed[k // 8] ^= 1 << k % 8
        kept.path.write_bytes(changed)
        assert read_map(kept, n_points=3) is None
    for length in range(len(data)):
        kept.path.write_bytes(data[:length])
        assert read_map(kept, n_points=3) is None

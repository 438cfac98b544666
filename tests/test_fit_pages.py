import numpy as np
import pytest

from pipeline import durable
from pipeline.artifacts import KeptMap, map_path, page_path, read_map, save_map, save_page
from pipeline.artifacts.leftovers import list_foreign, list_partial_fits, remove_fits
from pipeline.artifacts.locking import lock_fits
from pipeline.artifacts.pages import LOCK_SECONDS
from pipeline.config import FitConfig
from pipeline.errors import CacheLockedError
from pipeline.stages import fit as fit_stage
from tests.feature_tables import make_table, serve_table

MAP = KeptMap(
    points=np.arange(6, dtype=np.float32).reshape(3, 2),
    explained=(0.5, 0.25),
    versions={"numpy": "2.0"},
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A real fit."""
    serve_table(monkeypatch, make_table())
    store = tmp_path / "clouds" / "fake-abababab.zarr"
    return fit_stage.fit(store, FitConfig(clf="knn")).folder


@pytest.fixture
def kept(folder):
    """The path of a map beside the fit."""
    place = map_path(folder.parent, method="tsne", content_sha256="ab", paths=["a"], seed=0)
    save_map(place, MAP)
    return place


def test_a_page_lies_among_the_files_of_its_fit(folder):
    assert save_page(folder, "<p>ä</p>") == page_path(folder) == folder / "report.html"
    assert page_path(folder).read_bytes() == "<p>ä</p>".encode()
    assert list_foreign(folder.parent) == []


def test_a_page_that_cannot_be_written_leaves_the_old_one(folder, monkeypatch):
    save_page(folder, "old")

    def fail(action, path):
        if action == "rename":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "step", fail)
    with pytest.raises(OSError, match="No space"):
        save_page(folder, "new")
    assert page_path(folder).read_text() == "old"
    assert sorted(p.name for p in folder.iterdir() if "partial" in p.name) == []


def test_what_a_killed_writer_left_is_no_foreign_file_and_goes_with_the_next_page(folder):
    left = folder / ".report.html.0123abcd.partial"
    left.touch()
    assert list_foreign(folder.parent) == []
    save_page(folder, "new")
    assert not left.exists()


def test_a_page_waits_for_whoever_writes_beside_it(folder, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.pages.LOCK_SECONDS", 0)
    assert LOCK_SECONDS > 0
    with lock_fits(folder.parent), pytest.raises(CacheLockedError):
        save_page(folder, "new")


def test_a_fit_that_was_removed_is_not_half_made_again_by_its_page(folder):
    remove_fits(folder.parent)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with pytest.raises(OSError, match=r"report\.html"):
        save_page(folder, "page")
    assert not folder.exists()


def test_a_map_comes_back_as_it_was(kept):
    found = read_map(kept, n_points=3)
    np.testing.assert_array_equal(found.points, MAP.points)
    assert found.points.dtype == np.float32
    assert (found.explained, found.versions) == (MAP.explained, MAP.versions)


def test_a_map_is_known_and_goes_with_the_fits(kept):
    assert list_foreign(kept.parent) == []
    left = kept.with_name(f".{kept.name}.0123abcd.partial")
    left.touch()
    assert list_foreign(kept.parent) == []
    assert list_partial_fits(kept.parent) == [left]
    remove_fits(kept.parent)
    assert not kept.parent.exists()


@pytest.mark.parametrize(
    "changed", [{"method": "pca"}, {"content_sha256": "cd"}, {"paths": ["b"]}, {"seed": 1}]
)
def test_maps_of_something_else_lie_elsewhere(tmp_path, changed):
    common = {"method": "tsne", "content_sha256": "ab", "paths": ["a"], "seed": 0}
    assert map_path(tmp_path, **common) != map_path(tmp_path, **{**common, **changed})


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "other rows", "nan", "flip"])
def test_a_map_that_is_not_what_was_kept_counts_as_none(kept, damage):
    data = bytearray(kept.read_bytes())
    if damage == "missing":
        kept.unlink()
    elif damage == "cut":
        kept.write_bytes(data[: len(data) // 2])
    elif damage == "text":
        kept.write_text("not a map")
    elif damage == "nan":
        save_map(kept, KeptMap(points=MAP.points * np.nan, explained=None, versions={}))
    elif damage == "flip":
        data[60] ^= 0xFF
        kept.write_bytes(data)
    assert read_map(kept, n_points=4 if damage == "other rows" else 3) is None

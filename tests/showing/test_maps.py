from dataclasses import replace

import numpy as np
import pytest

from pipeline.projection import Projection
from pipeline.showing import maps as module
from pipeline.showing.evidence import read_evidence, read_values
from pipeline.showing.maps import draw_maps


@pytest.fixture
def asked(monkeypatch):
    """What was projected, by whom."""
    calls = []

    def project(values, *, method, random_state):
        calls.append((method, values))
        points = np.column_stack([values[:, 0], np.arange(len(values))]).astype(np.float32)
        explained = (0.75, 0.125) if method == "pca" else None
        return Projection(points=points, explained=explained, versions={"numpy": "2.0"})

    monkeypatch.setattr(module, "project", project)
    return calls


def test_points_are_of_the_rows_asked_for(fitted, asked):
    evidence = read_evidence(fitted)
    rows = np.array([2, 5, 11])
    (drawn,) = draw_maps(evidence, rows, compute=["pca"])
    places = module.find_samples(evidence.samples, [evidence.rows.paths[row] for row in rows])
    values = read_values(evidence.store, evidence.samples, places)
    np.testing.assert_array_equal(drawn.points[:, 0], values[:, 0])
    assert drawn.rows.tolist() == [0, 1, 2]
    assert drawn.method == "PCA"
    assert drawn.axes[0] == "component 1 (75.0 % of the variance)"
    assert "scikit-learn" in drawn.note


def test_what_was_computed_is_kept_for_the_next_fit_on_these_rows(fitted, asked):
    evidence = read_evidence(fitted)
    rows = np.arange(len(evidence.rows))
    first = draw_maps(evidence, rows, compute=["pca", "tsne"])
    again = draw_maps(evidence, rows, compute=["pca", "tsne"])
    assert [method for method, _ in asked] == ["pca", "tsne"]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
        assert (one.axes, one.note) == (other.axes, other.note)
    draw_maps(evidence, rows[:-1], compute=["tsne"])
    assert len(asked) == 3


def test_what_is_only_looked_for_is_not_computed(fitted, asked):
    evidence = read_evidence(fitted)
    rows = np.arange(len(evidence.rows))
    assert [m.method for m in draw_maps(evidence, rows, compute=["pca"], find=["tsne"])] == ["PCA"]
    draw_maps(evidence, rows, compute=["tsne"])
    found = draw_maps(evidence, rows, compute=["pca"], find=["tsne"])
    assert [drawn.method for drawn in found] == ["PCA", "t-SNE"]
    assert found[1].axes == ("", "")


def test_a_cache_that_cannot_be_written_only_costs_time(fitted, asked, monkeypatch):
    def refuse(path, kept):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(module, "save_map", refuse)
    evidence = read_evidence(fitted)
    for _ in range(2):
        assert draw_maps(evidence, np.arange(4), compute=["pca"])
    assert len(asked) == 2


def test_without_a_store_there_is_no_map(fitted, asked):
    evidence = replace(read_evidence(fitted), samples=None)
    assert draw_maps(evidence, np.arange(4), compute=["pca"]) == ()
    assert draw_maps(read_evidence(fitted), np.arange(0), compute=["pca"]) == ()

import numpy as np
import pytest

from pipeline.cache import StoredRows, compare_values, match_rows
from pipeline.cache.matching import row_cosines
from pipeline.errors import CacheCorruptError
from tests.made_stores import PATHS, flip_a_byte, make_store


def match(tmp_path, old, new):
    a, b = (
        StoredRows(make_store(tmp_path / name, contents))
        for name, contents in (("a", old), ("b", new))
    )
    found = match_rows(a, b)
    n = len(found.common) + len(found.renamed) + len(found.changed)
    assert (n + len(found.only_a), n + len(found.only_b)) == (len(a), len(b))
    return {
        "renamed": [(a.paths[i], b.paths[j]) for i, j in found.renamed],
        "changed": [(a.paths[i], b.paths[j]) for i, j in found.changed],
        "only_a": [a.paths[i] for i in found.only_a],
        "only_b": [b.paths[j] for j in found.only_b],
    }


NOTHING = {"renamed": [], "changed": [], "only_a": [], "only_b": []}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"c/1": 1, "c/2": 2}, {"c/1": 1, "c/2": 2}, {}),
        ({"c/1": 1}, {"c/1": 1, "c/2": 2}, {"only_b": ["c/2"]}),
        ({"c/1": 1, "c/2": 2}, {"c/2": 2}, {"only_a": ["c/1"]}),
        ({"c/1": 1}, {"c/1": 2}, {"changed": [("c/1", "c/1")]}),
        ({"c/1": 1}, {"c/2": 1}, {"renamed": [("c/1", "c/2")]}),
        # Two that changed places.
        (
            {"c/1": 1, "c/2": 2},
            {"c/1": 2, "c/2": 1},
            {"renamed": [("c/1", "c/2"), ("c/2", "c/1")]},
        ),
        # Renamed, and another one put in its place.
        ({"c/1": 1}, {"c/1": 2, "c/2": 1}, {"renamed": [("c/1", "c/2")], "only_b": ["c/1"]}),
        # A copy is an addition, and copies are renamed in order.
        ({"c/1": 1}, {"c/1": 1, "c/2": 1}, {"only_b": ["c/2"]}),
        (
            {"c/1": 1, "c/2": 1},
            {"c/3": 1, "c/4": 1, "c/5": 1},
            {"renamed": [("c/1", "c/3"), ("c/2", "c/4")], "only_b": ["c/5"]},
        ),
        # What could not be read is not known to have changed, nor to be another one.
        ({"c/0": 0, "c/1": 1}, {"c/0": 0, "c/1": None}, {}),
        ({"c/0": 0, "c/1": None}, {"c/0": 0, "c/2": None}, {"only_a": ["c/1"], "only_b": ["c/2"]}),
    ],
)
def test_every_row_is_matched_once(tmp_path, old, new, expected):
    assert match(tmp_path, old, new) == {**NOTHING, **expected}


def compare(a, b):
    old, new = StoredRows(a), StoredRows(b)
    return compare_values(old, new, match_rows(old, new).same_content, None)


def test_the_same_values_are_identical(tmp_path, small_blocks):
    a = make_store(tmp_path / "a")
    order = [PATHS[8], *PATHS[:3], *PATHS[4:8], PATHS[11]]
    b = make_store(tmp_path / "b", {f"{i:02}": path for i, path in enumerate(order)})
    found = compare(a, b)
    assert (found.n_rows, found.n_identical) == (9, 9)
    assert (found.worst_cosine, found.largest_difference, found.worst_path) == (1.0, 0.0, "")


def test_one_value_that_differs_is_found(tmp_path, small_blocks):
    def tweak(values):
        values = values.copy()
        values[6, 3] += 0.25
        values[9, 2] += 0.125
        return values

    found = compare(make_store(tmp_path / "a"), make_store(tmp_path / "b", tweak=tweak))
    assert (found.n_rows, found.n_identical) == (12, 10)
    assert found.largest_difference == pytest.approx(0.25)
    assert found.worst_path == PATHS[6]
    assert 0.5 < found.worst_cosine < 1 - 1e-4


def test_rows_without_values_in_one_of_them_do_not_count(tmp_path, small_blocks):
    a = make_store(tmp_path / "a", bad=PATHS[:2])
    b = make_store(tmp_path / "b", bad=PATHS[11:])
    assert compare(a, b).n_rows == 9
    part = make_store(tmp_path / "c", blocks=1)
    assert compare(a, part).n_rows == 2
    assert compare(part, a).n_rows == 2


def test_damage_is_named_whichever_store_has_it(tmp_path, small_blocks):
    a, b = make_store(tmp_path / "a"), make_store(tmp_path / "b")
    flip_a_byte(b, "features/c/2/0")
    for pair in ((a, b), (b, a)):
        with pytest.raises(CacheCorruptError, match=f"{b}.*block 2"):
            compare(*pair)


def test_cosines():
    a = np.array([[1, 0], [0, 0], [0, 0], [1, 1], [2, 0]], np.float32)
    b = np.array([[0, 3], [0, 0], [1, 0], [1, 1], [-1, 0]], np.float32)
    assert row_cosines(a, b).tolist() == [0, 1, 0, 1, -1]

import os

from pipeline.cache import find_superseded, read_outline
from tests.made_stores import PATHS, make_store


def superseded(*paths):
    """The pairs among stores that were used in this order."""
    for moment, path in enumerate(paths):
        os.utime(path / "zarr.json", (1000 + moment, 1000 + moment))
    pairs = find_superseded([read_outline(path) for path in paths])
    return [(old.path, new.path) for old, new in pairs]


def some(n):
    return dict.fromkeys(PATHS[:n])


def test_the_newest_stands_in_for_all_before(tmp_path):
    a, b, c = (make_store(tmp_path, some(n)) for n in (4, 5, 6))
    assert sorted(superseded(a, b, c)) == sorted([(b, c), (a, c)])
    assert sorted(superseded(c, a, b)) == sorted([(c, b), (a, b)])


def test_another_recipe_folder_data_set_or_label_column_is_another_thing(tmp_path):
    old = make_store(tmp_path, some(4))
    others = [
        make_store(tmp_path, some(5), recipe={"precision": "bfloat16"}),
        make_store(tmp_path, some(6), root="/elsewhere"),
        make_store(tmp_path, some(7), dataset="birds"),
        make_store(tmp_path, some(8), settings={"label_column": "breed"}),
    ]
    assert superseded(old, *others) == []


def test_a_store_that_is_not_complete_stands_in_for_nothing(tmp_path, small_blocks):
    old, new = make_store(tmp_path, some(4)), make_store(tmp_path, some(12), blocks=2)
    assert superseded(old, new) == []
    assert superseded(new, old) == []


def test_a_small_try_does_not_stand_in_for_the_whole(tmp_path):
    whole = make_store(tmp_path, some(12))
    small = make_store(tmp_path, some(3), settings={"limit": 3})
    larger = make_store(tmp_path, some(6), settings={"limit": 6})
    assert superseded(whole, larger, small) == []
    assert superseded(small, larger) == [(small, larger)]
    assert superseded(small, whole) == [(small, whole)]

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import load_manifest
from pipeline.datasets.listing import Listing, Row
from pipeline.datasets.manifest import build_manifest, select_evenly, share_out
from pipeline.errors import ConfigError
from pipeline.records import Split


def make_rows(**counts: int) -> tuple[Row, ...]:
    return tuple(
        Row(f"{label}/{i:04d}.jpg", label) for label, n in counts.items() for i in range(n)
    )


def test_rows_are_in_the_order_of_the_bytes_of_their_paths(write_files):
    latin = os.fsdecode(b"b/\xe9.jpg")
    names = ["b/ä.jpg", "b/Z.jpg", "b/a.jpg", "a-b/1.jpg", "a/1.jpg", latin]
    root = write_files(*names)
    listing = Listing(root, tuple(Row(name, name.split("/")[0]) for name in names))
    manifest = build_manifest("set", listing)
    assert list(manifest.paths) == sorted(names, key=os.fsencode)
    assert manifest.class_names == ("a", "a-b", "b")
    assert [manifest.class_names[i] for i in manifest.labels] == [
        path.split("/")[0] for path in manifest.paths
    ]
    for path, size, sha256 in zip(manifest.paths, manifest.size, manifest.sha256, strict=True):
        content = os.fsencode(path)  # see write_files
        assert size == len(content)
        assert sha256.tobytes() == hashlib.sha256(content).digest()


def test_columns_have_the_types_of_the_record(write_files):
    root = write_files("1.jpg", "2.jpg")
    rows = (Row("2.jpg", "b", Split.TEST, "g"), Row("1.jpg", "a", Split.TRAIN))
    manifest = build_manifest("set", Listing(root, rows))
    assert manifest.labels.dtype == np.int32
    assert manifest.split.dtype == np.uint8
    assert manifest.split.tolist() == [Split.TRAIN, Split.TEST]
    assert manifest.group.tolist() == [-1, 0]
    assert manifest.group_names == ("g",)
    assert manifest.sha256.shape == (2, 32)


def test_a_split_with_one_part_is_no_split(write_files):
    root = write_files("1.jpg", "2.jpg")
    rows = tuple(Row(name, name, Split.TRAIN) for name in ("1.jpg", "2.jpg"))
    assert build_manifest("set", Listing(root, rows)).split.tolist() == [0, 0]


def test_fault_35_the_order_of_the_listing_does_not_matter(write_files):
    names = [f"{label}/{i}.jpg" for label in "ab" for i in range(5)]
    root = write_files(*names)
    rows = [Row(name, name[0]) for name in names]
    digests = {
        build_manifest("set", Listing(root, tuple(order)), limit=limit).digest
        for order in (rows, rows[::-1], rows[::2] + rows[1::2])
        for limit in (None, 100)
    }
    assert len(digests) == 1
    limited = {
        build_manifest("set", Listing(root, tuple(order)), limit=5).digest
        for order in (rows, rows[::-1])
    }
    assert len(limited) == 1
    assert limited != digests


def test_fault_35_the_order_files_were_written_in_does_not_matter(write_files, tmp_path):
    names = [f"{label}/{i}.jpg" for label in "ab" for i in range(20)]
    orders = {"written": names, "backwards": names[::-1], "mixed": names[::2] + names[1::2]}
    roots = [write_files(*order, under=f"{key}/set") for key, order in orders.items()]
    manifests = [load_manifest(str(root), data_dir=tmp_path) for root in roots]
    assert len({manifest.digest for manifest in manifests}) == 1
    assert all(list(manifest.paths) == sorted(names) for manifest in manifests)


def test_unreadable_files_stay_rows_of_zeros(write_files):
    root = write_files("1.jpg", "folder.jpg/x")
    rows = tuple(Row(name, "a") for name in ("1.jpg", "folder.jpg", "gone.jpg"))
    manifest = build_manifest("set", Listing(root, rows))
    assert manifest.size.tolist() == [5, 0, 0]
    assert manifest.sha256.any(axis=1).tolist() == [True, False, False]


def test_progress_ends_at_the_total(write_files):
    names = [f"{i:03d}.jpg" for i in range(150)]
    root = write_files(*names)
    calls: list[tuple[int, int]] = []
    build_manifest(
        "set",
        Listing(root, tuple(Row(name, "a") for name in names)),
        on_progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(128, 150), (150, 150)]


def test_a_limited_manifest_hashes_only_what_it_takes(tmp_path: Path):
    rows = make_rows(a=500, b=1)
    manifest = build_manifest("set", Listing(tmp_path, rows), limit=4)
    assert len(manifest) == 4
    assert manifest.class_names == ("a", "b")
    assert list(manifest.paths) == sorted(manifest.paths)


@pytest.mark.parametrize("limit", [3, 4, 10, 57, 1000, 1102, 1103, 5000])
def test_a_limit_takes_that_many_and_keeps_every_class(limit):
    rows = make_rows(big=1000, mid=100, rare=3)
    taken = select_evenly(rows, limit)
    assert len(taken) == min(limit, len(rows)) == len(set(taken))
    assert {row.label for row in taken} == {"big", "mid", "rare"}


def test_a_limit_keeps_every_part_of_a_given_split():
    rows = [Row(f"{s}/{i}", "a", s) for s in (Split.TRAIN, Split.TEST) for i in range(50)]
    assert {row.split for row in select_evenly(rows, 2)} == {Split.TRAIN, Split.TEST}


def test_a_limit_is_spread_over_the_paths():
    taken = select_evenly(make_rows(a=100), 4)
    assert [row.path for row in taken] == ["a/0000.jpg", "a/0025.jpg", "a/0050.jpg", "a/0075.jpg"]


def test_a_limit_below_the_number_of_classes_is_spread_over_them():
    rows = make_rows(**{f"c{i:02d}": 10 for i in range(40)})
    assert [row.label for row in select_evenly(rows, 4)] == ["c00", "c10", "c20", "c30"]


@pytest.mark.parametrize(
    ("total", "sizes", "expected"),
    [(4, [2, 2], [2, 2]), (3, [2, 2], [2, 1]), (2, [1, 9], [1, 1]), (5, [1, 1, 9], [1, 1, 3])],
)
def test_share_out(total, sizes, expected):
    assert share_out(total, sizes) == expected


def test_a_limit_of_zero_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="--limit must be at least 1"):
        build_manifest("set", Listing(tmp_path, make_rows(a=1)), limit=0)

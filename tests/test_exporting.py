import csv
import errno
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline import durable, exporting
from pipeline.errors import ConfigError, PipelineError
from pipeline.exporting import FORMATS, ExportRows, check_target, guess_format, write_export
from pipeline.records import Split

PATHS = ("=cmd.jpg", "new\nline.jpg", 'q"uote, comma.jpg', "\udcff.jpg", "ü/5.jpg", "6.jpg")
# Subnormal, largest, smallest, and such as need all nine digits.
NUMBERS = np.array(
    [
        [1e-45, 3.4028235e38],
        [0.1, 1 / 3],
        [-0.0, 16777217.0],
        [1.1754944e-38, 7],
        [2, 8],
        [114.932594, 9],
    ],
    np.float32,
)
CLASSES = ("cat", "=dog", "\udcfe")


@pytest.fixture
def rows():
    return ExportRows(
        paths=PATHS,
        labels=np.array([0, 1, 2, 0, 1, 2], np.int32),
        class_names=CLASSES,
        split=np.array([0, 1, 2, 3, 0, 1], np.uint8),
        sha256=np.arange(6 * 32, dtype=np.uint8).reshape(6, 32),
        n_features=2,
        about={"recipe": {"model": "vgg16"}},
    )


def values():
    yield NUMBERS[:4]
    yield NUMBERS[4:]


def same_bits(found):
    found = np.asarray(found)
    return found.dtype == np.float32 and found.tobytes() == NUMBERS.tobytes()


def test_npy(tmp_path, rows):
    to = tmp_path / "deep" / "export"
    write_export(to, "npy", rows, values())
    assert same_bits(np.load(to / "features.npy"))
    assert np.load(to / "features.npy", mmap_mode="r").shape == (6, 2)
    assert np.load(to / "labels.npy").tolist() == [0, 1, 2, 0, 1, 2]
    assert (np.load(to / "sha256.npy") == rows.sha256).all()
    about = json.loads((to / "recipe.json").read_bytes())
    assert [about["split_names"][i] for i in np.load(to / "split.npy")[:4]] == [
        *("none", "train", "val", "test")
    ]
    assert about["recipe"] == {"model": "vgg16"}
    assert tuple(json.loads((to / "paths.json").read_bytes())) == PATHS
    assert tuple(json.loads((to / "classes.json").read_bytes())) == CLASSES
    assert {path.name for path in to.iterdir()} == set(exporting.NPY_FILES)


def test_csv_gives_every_float_back(tmp_path, rows):
    to = tmp_path / "export.csv"
    write_export(to, "csv", rows, values())
    with to.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["path", "label", "split", "sha256", "f0", "f1"]
    assert [line[0] for line in lines] == ["./=cmd.jpg", *PATHS[1:]]
    assert [line[1] for line in lines[:3]] == ["cat", "'=dog", "\udcfe"]
    assert [line[2] for line in lines] == [Split(s).name.lower() for s in rows.split]
    assert bytes.fromhex(lines[1][3]) == bytes(range(32, 64))
    assert same_bits(np.array([line[4:] for line in lines], np.float32))


def test_csv_in_pandas(tmp_path, rows):
    to = tmp_path / "export.csv"
    write_export(to, "csv", rows, values())
    frame = pd.read_csv(to, encoding_errors="replace", dtype=str)
    assert len(frame) == 6
    assert same_bits(frame[["f0", "f1"]].to_numpy(object).astype(np.float32))


def test_parquet(tmp_path, rows):
    parquet = pytest.importorskip("pyarrow.parquet")
    to = tmp_path / "export.parquet"
    write_export(to, "parquet", rows, values())
    table = parquet.read_table(to)
    assert table.column_names == ["path", "label", "split", "sha256", "values"]
    assert json.loads(table.schema.metadata[b"transfer-values"])["recipe"] == {"model": "vgg16"}
    assert table["path"].to_pylist() == [*PATHS[:3], "\\udcff.jpg", *PATHS[4:]]
    assert table["label"].to_pylist() == ["cat", "=dog", "\\udcfe"] * 2
    assert table["split"].to_pylist() == ["none", "train", "val", "test", "none", "train"]
    assert table["sha256"].to_pylist()[1] == bytes(range(32, 64)).hex()
    assert same_bits(np.stack(table.to_pandas()["values"]))
    assert table.schema.field("values").type.list_size == 2


@pytest.fixture
def two_views(rows):
    return replace(rows, about={"recipe": {"views": 2}})


def test_csv_tells_the_second_view_apart(tmp_path, two_views):
    to = tmp_path / "export.csv"
    write_export(to, "csv", two_views, values())
    frame = pd.read_csv(to, encoding_errors="replace", dtype=str)
    assert list(frame.columns[4:]) == ["f0", "view2_f0"]
    assert same_bits(frame[["f0", "view2_f0"]].to_numpy(object).astype(np.float32))


def test_parquet_tells_the_second_view_apart(tmp_path, two_views):
    parquet = pytest.importorskip("pyarrow.parquet")
    to = tmp_path / "export.parquet"
    write_export(to, "parquet", two_views, values())
    table = parquet.read_table(to)
    assert table.column_names[4:] == ["values", "view2_values"]
    assert table.schema.field("view2_values").type.list_size == 1
    frame = table.to_pandas()
    assert same_bits(np.hstack([np.stack(frame["values"]), np.stack(frame["view2_values"])]))


def test_npy_has_the_views_side_by_side(tmp_path, two_views):
    to = tmp_path / "export"
    write_export(to, "npy", two_views, values())
    assert same_bits(np.load(to / "features.npy"))
    assert json.loads((to / "recipe.json").read_bytes())["recipe"]["views"] == 2


def test_parquet_without_pyarrow_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PipelineError, match=r"pip install 'transfer-values\[parquet\]'"):
        check_target(tmp_path / "x.parquet", "parquet", overwrite=False)


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_earlier_export_is_replaced_only_if_asked(tmp_path, rows, format_name):
    to = tmp_path / "export"
    check_target(to, format_name, overwrite=False)
    write_export(to, format_name, rows, values())
    with pytest.raises(PipelineError, match=r"there already.*--overwrite"):
        check_target(to, format_name, overwrite=False)
    check_target(to, format_name, overwrite=True)
    write_export(to, format_name, rows, values())
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("what", ["folder", "other", "link"])
def test_fault_28_nothing_else_is_ever_replaced(tmp_path, format_name, what):
    to = tmp_path / "export"
    if what == "link":
        (tmp_path / "empty").mkdir()
        to.symlink_to(tmp_path / "empty")
    elif what == "folder":
        to.mkdir()
        (to / "notes.txt").write_text("mine")
    elif format_name == "npy":
        to.write_text("mine")
    else:
        to.mkdir()
    with pytest.raises(PipelineError, match="no earlier export"):
        check_target(to, format_name, overwrite=True)


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"--format must be one of npy, csv, parquet"):
        check_target(tmp_path / "x", "xlsx", overwrite=False)


def test_a_folder_is_not_called_like_a_file(tmp_path):
    with pytest.raises(ConfigError, match=r"makes a folder .*: --to .*/x, not .*/x\.npy"):
        check_target(tmp_path / "x.npy", "npy", overwrite=False)


def test_the_format_follows_from_the_name(tmp_path):
    names = ("a.csv", "a.PARQUET", "a", "a.npy", "a.v2")
    assert [guess_format(tmp_path / name) for name in names] == [
        *("csv", "parquet", "npy", "npy", "npy")
    ]


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("earlier", [False, True])
def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(
    tmp_path, rows, format_name, earlier, monkeypatch
):
    to = tmp_path / "export"
    if earlier:
        write_export(to, format_name, rows, values())
    before = sorted((p, p.is_file() and p.read_bytes()) for p in tmp_path.rglob("*"))
    steps = []

    def fail_at(k):
        def step(action, path):
            steps.append(action)
            if len(steps) == k:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

        return step

    monkeypatch.setattr(durable, "step", fail_at(0))
    write_export(tmp_path / "whole", format_name, rows, values())
    durable.remove(tmp_path / "whole")
    n_steps = steps.index("rename")
    assert steps[:n_steps].count("write") == 2
    replaces_folder = earlier and format_name == "npy"  # by two renames
    for k in range(1, n_steps + 2 + replaces_folder):
        steps.clear()
        monkeypatch.setattr(durable, "step", fail_at(k))
        with pytest.raises(PipelineError, match=f"Cannot write {re.escape(str(to))}: No space"):
            write_export(to, format_name, rows, values())
        assert sorted((p, p.is_file() and p.read_bytes()) for p in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_kill_or_damage_half_way_leaves_nothing(tmp_path, rows, format_name):
    def stop():
        yield NUMBERS[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(tmp_path / "export", format_name, rows, stop())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("blocks", [[4], [4, 1], [4, 2, 1], [7], []])
def test_as_many_values_as_rows_or_nothing(tmp_path, rows, format_name, blocks):
    made = (np.ones((n, 2), np.float32) for n in blocks)
    with pytest.raises(PipelineError, match=f"6 rows got the values of {sum(blocks)}"):
        write_export(tmp_path / "export", format_name, rows, made)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_name", FORMATS)
def test_no_rows_are_a_table_all_the_same(tmp_path, rows, format_name):
    empty = ExportRows(
        paths=(),
        labels=rows.labels[:0],
        class_names=CLASSES,
        split=rows.split[:0],
        sha256=rows.sha256[:0],
        n_features=2,
        about={},
    )
    write_export(tmp_path / "export", format_name, empty, iter(()))
    assert (tmp_path / "export").exists()

import json
import os
from pathlib import Path

import pytest

from pipeline.datasets.manifest import build_manifest
from pipeline.datasets.table import read_table
from pipeline.errors import DatasetError, EmptyDatasetError
from pipeline.records import Split


def write_table(root: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    table = root / name
    table.write_bytes(text if isinstance(text, bytes) else os.fsencode(text))
    return table


@pytest.mark.parametrize("path", ["file_name", "path", "filepath", "filename", "image", "id"])
@pytest.mark.parametrize("label", ["label", "class", "target", "breed", "category"])
def test_the_columns_users_come_with(write_files, path, label):
    table = write_table(write_files("1.jpg"), f"{path},{label},note\n1.jpg,cat,x\n")
    (row,) = read_table(table).rows
    assert (row.path, row.label, row.split, row.group) == ("1.jpg", "cat", Split.NONE, "")


def test_file_name_wins_over_id_and_case_does_not_matter(write_files):
    table = write_table(write_files("1.jpg"), "ID,File_Name,Label\n7,1.jpg,cat\n")
    assert [row.path for row in read_table(table).rows] == ["1.jpg"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n \n"])
def test_delimiters_marks_and_blank_lines(write_files, delimiter, start):
    text = f"image{delimiter}label\r\n\r\n1.jpg{delimiter} cat \r\n"
    table = write_table(write_files("1.jpg"), start + text.encode())
    assert [(row.path, row.label) for row in read_table(table).rows] == [("1.jpg", "cat")]


def test_utf16_as_excel_writes_it(write_files):
    table = write_table(write_files("1.jpg"), "image\tlabel\n1.jpg\tKätzchen\n".encode("utf-16"))
    assert [row.label for row in read_table(table).rows] == ["Kätzchen"]


def test_label_column_is_taken_by_name(write_files):
    table = write_table(write_files("1.jpg"), "image,label,Kind\n1.jpg,cat,tabby\n")
    assert [row.label for row in read_table(table, label_column="kind").rows] == ["tabby"]


def test_the_index_that_pandas_writes_is_no_split_and_no_group(write_files):
    table = write_table(write_files("1.jpg", "2.jpg"), ",image,label\n0,1.jpg,a\n1,2.jpg,b\n")
    assert [(row.split, row.group) for row in read_table(table).rows] == [(Split.NONE, "")] * 2


def test_labels_are_words_even_where_they_look_like_numbers(write_files):
    root = write_files("1.jpg", "2.jpg", "3.jpg")
    table = write_table(root, "image,label\n1.jpg,1\n2.jpg,01\n3.jpg,1.0\n")
    assert [row.label for row in read_table(table).rows] == ["1", "01", "1.0"]


def test_split_and_group(write_files):
    root = write_files("1.jpg", "2.jpg", "3.jpg")
    table = write_table(
        root,
        "image,label,split,group\n1.jpg,a,train,p1\n2.jpg,a,Validation,\n3.jpg,b,test,p2\n",
    )
    assert [(row.split, row.group) for row in read_table(table).rows] == [
        (Split.TRAIN, "p1"),
        (Split.VAL, ""),
        (Split.TEST, "p2"),
    ]


def test_kaggle_dog_breed_extensions_and_sub_folder_are_looked_up(write_files):
    root = write_files("train/00ab.jpg", "train/01cd.PNG", "test/02ef.jpg")
    table = write_table(root, "id,breed\n00ab,boston_bull\n01cd,dingo\n")
    assert [row.path for row in read_table(table).rows] == ["train/00ab.jpg", "train/01cd.PNG"]


def test_the_folder_called_like_the_table_comes_first(write_files):
    root = write_files("train/1.jpg", "trial/1.jpg")
    table = write_table(root, "id,label\n1,a\n", "trial.csv")
    assert [row.path for row in read_table(table).rows] == ["trial/1.jpg"]


def test_paths_count_from_the_tables_folder_however_they_are_written(write_files):
    outside = write_files("1.jpg", under="elsewhere")
    root = write_files("a/2.jpg", "a/3.jpg", "4.jpg")
    table = write_table(
        root, f"path,label\n{outside}/1.jpg,x\n./a//2.jpg,x\na\\3.jpg,x\n{root}/4.jpg,x\n"
    )
    assert [row.path for row in read_table(table).rows] == [
        "../elsewhere/1.jpg",
        "a/2.jpg",
        "a/3.jpg",
        "4.jpg",
    ]


def test_hostile_file_names(write_files):
    names = [os.fsdecode(b"caf\xe9.jpg"), 'a,"b"\n=1.jpg', " space.jpg"]
    root = write_files(*names)
    lines = ['"' + name.replace('"', '""') + '",x' for name in names]
    table = write_table(root, "\n".join(["path,label", *lines]))
    assert [row.path for row in read_table(table).rows] == names


def test_a_file_that_does_not_exist_stays_a_row(write_files):
    table = write_table(write_files("1.jpg"), "path,label\n1.jpg,a\nx/gone.jpg,b\n")
    assert [(row.path, row.label) for row in read_table(table).rows] == [
        ("1.jpg", "a"),
        ("x/gone.jpg", "b"),
    ]


def test_no_file_exists(write_files):
    table = write_table(write_files("train/other.jpg"), "id,label\n7,a\n8,b\n")
    with pytest.raises(EmptyDatasetError, match=r"None of the 2 files.*'7', looked for in .*train"):
        read_table(table)


def test_the_same_row_twice_is_taken_once_and_counted(write_files):
    listing = read_table(write_table(write_files("1.jpg"), "path,label\n1.jpg,a\n./1.jpg,a\n1,a\n"))
    assert len(listing.rows) == 1
    assert listing.ignored == {"listed twice": 2}


@pytest.mark.parametrize("second", ["1.jpg,b,train,g", "1.jpg,a,test,g", "1.jpg,a,train,h"])
def test_the_same_file_as_two_things_is_refused(write_files, second):
    text = f"path,label,split,group\n1.jpg,a,train,g\n{second}\n"
    with pytest.raises(DatasetError, match=r"lines 2 and 3 list '1\.jpg' twice, as label 'a'"):
        read_table(write_table(write_files("1.jpg"), text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\n1.jpg,a\n", r"no column for the file\. Expected one of file_name.*'name'"),
        ("path,kind\n1.jpg,a\n", r"no column for the label\..*--label-column NAME"),
        ("path,label\n1.jpg,\n", r"line 2: 'label' is empty"),
        ("path,label\n,a\n", r"line 2: 'path' is empty"),
        ("path,label\n1.jpg\n", r"line 2: expected 2 values \(path,label\), got 1"),
        ("path,label\n1.jpg,a,b\n", r"line 2: expected 2 values .* got 3"),
        ('path,label\n"1.jpg,a\n', r"not a valid CSV"),
        ("path,label,split\n1.jpg,a,holdout\n", r"unknown split 'holdout'\. Expected one of train"),
        ("path,label,split\n1.jpg,a,test\n2.jpg,a,\n", r"1 of 2 rows have no 'split'"),
        ("path,label\nhttps://x.org/1.jpg,a\n", r"is a web address"),
        ("path,label\n1.jpg\0,a\n", r"contains a NUL"),
        ("path,label,label\n1.jpg,a,b\n", r"line 1: more than one column is called 'label'"),
    ],
)
def test_bad_tables_name_the_line(write_files, text, message):
    with pytest.raises(DatasetError, match=message):
        read_table(write_table(write_files("1.jpg", "2.jpg"), text))


@pytest.mark.parametrize("text", ["", "\n\n", "path,label\n"])
def test_a_table_without_rows(write_files, text):
    with pytest.raises(EmptyDatasetError, match="has no rows"):
        read_table(write_table(write_files("1.jpg"), text))


def test_a_label_column_that_is_not_there_lists_those_that_are(write_files):
    table = write_table(write_files("1.jpg"), "path,label\n1.jpg,a\n")
    with pytest.raises(DatasetError, match=r"no column 'Breed' .*got: 'path', 'label'"):
        read_table(table, label_column="Breed")
    with pytest.raises(DatasetError, match="'path' cannot be both"):
        read_table(table, label_column="path")


def write_jsonl(root: Path, *records: object) -> Path:
    text = "\n".join(json.dumps(record) for record in records)
    return write_table(root, text, "metadata.jsonl")


def test_jsonl(write_files):
    root = write_files("1.jpg", "2.jpg")
    table = write_jsonl(
        root,
        {"file_name": "1.jpg", "label": 1, "group": 7},
        {"file_name": "2.jpg", "label": "01", "group": None, "caption": ["unused"]},
    )
    assert [(row.path, row.label, row.group) for row in read_table(table).rows] == [
        ("1.jpg", "1", "7"),
        ("2.jpg", "01", ""),
    ]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([1], "line 2: expected one object .* got a list"),
        ({"file_name": "2.jpg", "label": None}, "line 2: 'label' is empty"),
        ({"file_name": "2.jpg"}, "line 2: 'label' is empty"),
        ({"file_name": "2.jpg", "label": ["a", "b"]}, "line 2: 'label' is a list"),
        ({"file_name": "2.jpg", "label": {"a": "b"}}, "line 2: 'label' is a dict"),
        ({"file_name": "2.jpg", "label": "\ud800"}, "line 2: 'label' is not valid text"),
    ],
)
def test_bad_jsonl_names_the_line(write_files, record, message):
    table = write_jsonl(write_files("1.jpg"), {"file_name": "1.jpg", "label": "a"}, record)
    with pytest.raises(DatasetError, match=message):
        read_table(table)


def test_broken_json_names_the_line(write_files):
    table = write_table(write_files("1.jpg"), '{"file_name": "1.jpg"\n', "x.jsonl")
    with pytest.raises(DatasetError, match="line 1: not valid JSON"):
        read_table(table)


def test_a_row_means_the_file_of_its_own_split(write_files):
    root = write_files("Train/1.jpg", "Train/2.jpg", "test/2.jpg", "dev/2.jpg", "dev/cat/3.png")
    rows = ["1,cat,train", "2,dog,TRAIN", "2,cat,test", "2,cat,val", "cat/3,cat,dev"]
    table = write_table(root, "\n".join(["id,label,split", *rows]))
    assert [(row.path, row.split) for row in read_table(table).rows] == [
        ("Train/1.jpg", Split.TRAIN),
        ("Train/2.jpg", Split.TRAIN),
        ("test/2.jpg", Split.TEST),
        ("dev/2.jpg", Split.VAL),
        ("dev/cat/3.png", Split.VAL),
    ]


def test_a_split_that_has_no_folder_does_not_hide_the_file(write_files):
    table = write_table(write_files("images/1.jpg", "train/2.jpg"), "id,label,split\n1,a,test\n")
    assert [row.path for row in read_table(table).rows] == ["images/1.jpg"]


def test_a_path_that_is_written_out_wins_over_the_split(write_files):
    root = write_files("1.jpg", "test/1.jpg")
    table = write_table(root, "path,label,split\n1.jpg,a,test\n")
    assert [row.path for row in read_table(table).rows] == ["1.jpg"]


@pytest.mark.parametrize(
    ("names", "row"),
    [
        (("train/2.jpg", "test/2.jpg"), "2,a,"),
        (("train/2.jpg", "images/2.jpg"), "2.jpg,a,"),
        (("images/2.jpg", "train/2.jpg"), "2,a,test"),
        (("images/2.jpg", "images/2.png"), "2,a,"),
    ],
)
def test_an_id_that_means_several_files_is_refused(write_files, names, row):
    table = write_table(write_files(*names), f"id,label,split\n{row}\n")
    with pytest.raises(DatasetError, match=r"line 2: '2.*' may be any of 2 files: ") as caught:
        read_table(table)
    assert all(repr(name) in str(caught.value) for name in names)


@pytest.mark.parametrize("name", ["train.csv", "trainLabels.csv", "Training_2.csv"])
def test_the_split_that_the_table_is_called_after_decides(write_files, name):
    root = write_files("train/1.jpg", "test/1.jpg")
    assert [row.path for row in read_table(write_table(root, "id,label\n1,a\n", name)).rows] == [
        "train/1.jpg"
    ]


def test_a_word_that_begins_like_a_split_decides_nothing(write_files):
    root = write_files("train/1.jpg", "test/1.jpg")
    with pytest.raises(DatasetError, match="may be any of 2 files"):
        read_table(write_table(root, "id,label\n1,a\n", "trains.csv"))


def test_columns_without_a_name_may_be_several(write_files):
    table = write_table(write_files("1.jpg"), "path,label,,\n1.jpg,a,,\n")
    assert [row.label for row in read_table(table).rows] == ["a"]


def test_a_name_twice_in_a_json_object_is_refused(write_files):
    text = '{"file_name": "1.jpg", "label": "a", "label": "b"}'
    with pytest.raises(DatasetError, match="line 1: more than one column is called 'label'"):
        read_table(write_table(write_files("1.jpg"), text, "x.jsonl"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_a_device_is_never_opened(write_files, monkeypatch):
    root = write_files("1.jpg")
    os.mkfifo(root / "pipe.jpg")
    table = write_table(root, "path,label\n1.jpg,a\npipe.jpg,b\n/dev/zero,c\npipe,d\n")
    listing = read_table(table)
    zero = os.path.relpath("/dev/zero", root)
    assert [row.path for row in listing.rows] == ["1.jpg", "pipe.jpg", zero, "pipe"]
    manifest = build_manifest("set", listing)
    size = dict(zip(manifest.paths, manifest.size.tolist(), strict=True))
    assert size == {"1.jpg": 5, "pipe.jpg": 0, zero: 0, "pipe": 0}
    assert manifest.sha256.any(axis=1).sum() == 1


def test_labels_in_latin1_are_refused(write_files):
    text = "path,label\n1.jpg,p\xe2t\xe9\n".encode("latin-1")
    message = r"line 2: 'label' is not UTF-8: b'p\\xe2t\\xe9'\. Save the table as UTF-8"
    with pytest.raises(DatasetError, match=message):
        read_table(write_table(write_files("1.jpg"), text))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("start", ["", "\r\n"])
def test_utf16_without_a_mark_is_refused(write_files, encoding, start):
    text = f"{start}path,label\n1.jpg,a\n".encode(encoding)
    with pytest.raises(DatasetError, match=r"looks like UTF-16 .* Save it as UTF-8"):
        read_table(write_table(write_files("1.jpg"), text))


def test_one_file_by_two_paths_is_one_file(write_files):
    root = write_files("train/1.jpg")
    (root / "images").symlink_to("train", target_is_directory=True)
    table = write_table(root, "id,label\n1,a\n")
    assert [row.path for row in read_table(table).rows] == ["train/1.jpg"]

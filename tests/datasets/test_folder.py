from pathlib import Path

import pytest

from pipeline.datasets.folder import read_folder
from pipeline.errors import DatasetError, EmptyDatasetError
from pipeline.records import Split


def rows_of(root: Path) -> list[tuple[str, str, Split]]:
    return sorted((row.path, row.label, row.split) for row in read_folder(root).rows)


def test_class_folders_and_nested_folders(write_files):
    root = write_files("cat/1.jpg", "cat/black/2.png", "dog/3.JPEG")
    assert rows_of(root) == [
        ("cat/1.jpg", "cat", Split.NONE),
        ("cat/black/2.png", "cat", Split.NONE),
        ("dog/3.JPEG", "dog", Split.NONE),
    ]


def test_every_file_in_a_class_folder_counts_as_found(write_files):
    root = write_files("cat/1.jpg", "cat/notes.txt", "cat/noextension", "dog/2.jpg")
    assert len(rows_of(root)) == 4


def test_leftovers_beside_the_class_folders_are_ignored(write_files):
    root = write_files("cat/1.jpg", "dog/2.jpg", "README.txt", "labels.csv", "docs/index.html")
    listing = read_folder(root)
    assert len(listing.rows) == 2
    assert listing.ignored == {"beside the class folders": 2, "in a folder without images": 1}


def test_an_empty_class_folder_is_ignored_and_counted(write_files):
    listing = read_folder(write_files("cat/1.jpg", "dog/2.jpg", "emu/"))
    assert {row.label for row in listing.rows} == {"cat", "dog"}
    assert listing.ignored == {"empty folder": 1}


def test_a_class_of_files_without_extension_is_not_lost(write_files):
    assert {label for _, label, _ in rows_of(write_files("0/a", "1/b.png"))} == {"0", "1"}


@pytest.mark.parametrize("name", ["val", "valid", "validation", "VAL", "dev"])
def test_given_splits(write_files, name):
    root = write_files("train/cat/1.jpg", f"{name}/cat/2.jpg", "test/cat/3.jpg", "train/dog/4.jpg")
    assert rows_of(root) == sorted(
        [
            ("train/cat/1.jpg", "cat", Split.TRAIN),
            (f"{name}/cat/2.jpg", "cat", Split.VAL),
            ("test/cat/3.jpg", "cat", Split.TEST),
            ("train/dog/4.jpg", "dog", Split.TRAIN),
        ]
    )


def test_given_splits_of_flat_names(write_files):
    root = write_files("train/cat.0.jpg", "train/dog.0.jpg", "test/cat.1.jpg", "test/dog.1.jpg")
    assert [(label, split) for _, label, split in rows_of(root)] == [
        ("cat", Split.TEST),
        ("dog", Split.TEST),
        ("cat", Split.TRAIN),
        ("dog", Split.TRAIN),
    ]


def test_files_beside_the_classes_of_a_split_are_counted(write_files):
    listing = read_folder(write_files("train/a/1.jpg", "train/list.txt", "test/a/2.jpg", "x.py"))
    assert len(listing.rows) == 2
    assert listing.ignored == {"beside the class folders": 2}


def test_kaggle_flat(write_files):
    root = write_files("cat.0.jpg", "dog.10.jpg", "sampleSubmission.csv", "odd.jpg")
    listing = read_folder(root)
    assert sorted((row.path, row.label) for row in listing.rows) == [
        ("cat.0.jpg", "cat"),
        ("dog.10.jpg", "dog"),
    ]
    assert listing.ignored == {"beside the class folders": 1, "without a label": 1}


def test_kaggle_flat_wins_over_a_smaller_folder_beside_it(write_files):
    listing = read_folder(write_files("cat.0.jpg", "dog.0.jpg", "dog.1.jpg", "test1/1.jpg"))
    assert {row.label for row in listing.rows} == {"cat", "dog"}
    assert listing.ignored["without a label"] == 1


@pytest.mark.parametrize("wrapper", ["", "dogs-vs-cats/"])
@pytest.mark.parametrize("test_folder", ["test", "test1"])
def test_kaggles_unlabelled_test_folder_is_no_class_and_no_split(write_files, wrapper, test_folder):
    root = write_files(
        *(f"{wrapper}{name}" for name in ("train/cat.0.jpg", "train/dog.0.jpg")),
        f"{wrapper}{test_folder}/1.jpg",
        f"{wrapper}{test_folder}/2.jpg",
    )
    listing = read_folder(root)
    assert [row.split for row in listing.rows] == [Split.NONE] * 2
    assert {row.label for row in listing.rows} == {"cat", "dog"}
    assert listing.ignored["without a label"] == 2
    assert listing.root == root / wrapper / "train"


@pytest.mark.parametrize("wrapper", ["PetImages", "a/b", "data/train"])
def test_a_wrapper_is_taken_off(write_files, wrapper):
    root = write_files(f"{wrapper}/Cat/1.jpg", f"{wrapper}/Dog/2.jpg", "readme[1].txt")
    listing = read_folder(root)
    assert listing.root == root / wrapper
    assert sorted(row.path for row in listing.rows) == ["Cat/1.jpg", "Dog/2.jpg"]
    assert listing.ignored == {"beside the class folders": 1}


def test_one_class_folder_is_a_class_and_no_wrapper(write_files):
    root = write_files("cat/1.jpg", "cat/2.jpg")
    assert read_folder(root).root == root
    assert {label for _, label, _ in rows_of(root)} == {"cat"}


def test_a_lone_class_with_loose_and_nested_images_loses_none(write_files):
    root = write_files("cat/1.jpg", "cat/black/2.jpg", "cat/white/3.jpg")
    assert [(label, path) for path, label, _ in rows_of(root)] == [
        ("cat", "cat/1.jpg"),
        ("cat", "cat/black/2.jpg"),
        ("cat", "cat/white/3.jpg"),
    ]


def test_a_class_called_test_is_a_class(write_files):
    root = write_files("cat/1.jpg", "dog/2.jpg", "test/3.jpg")
    assert {label for _, label, _ in rows_of(root)} == {"cat", "dog", "test"}


def test_a_class_called_train_with_folders_inside_is_a_class(write_files):
    root = write_files("bus/red/1.jpg", "car/2.jpg", "train/steam/3.jpg")
    assert {label for _, label, _ in rows_of(root)} == {"bus", "car", "train"}


def test_a_class_called_train_inside_a_given_split(write_files):
    root = write_files("train/train/1.png", "train/bus/2.png", "test/train/3.png", "test/bus/4.png")
    assert {(label, split) for _, label, split in rows_of(root)} == {
        (label, split) for label in ("bus", "train") for split in (Split.TRAIN, Split.TEST)
    }


def test_a_stranger_beside_a_given_split_is_refused(write_files):
    root = write_files("train/cat/1.jpg", "test/cat/2.jpg", "extra/cat/3.jpg")
    with pytest.raises(DatasetError, match=r"given split \(test, train\).*none: extra"):
        read_folder(root)


@pytest.mark.parametrize("names", [("1.jpg", "2.jpg"), ("train/1.jpg", "test/2.jpg")])
def test_images_without_classes_show_the_layouts(write_files, names):
    with pytest.raises(DatasetError, match=r"class cannot be seen, such as '.*(?s:.)*<class>"):
        read_folder(write_files(*names))


def test_images_without_classes_beside_a_table_point_at_it(write_files):
    with pytest.raises(DatasetError, match=r"try --dataset .*labels\.csv"):
        read_folder(write_files("1.jpg", "labels.csv"))


def test_an_empty_folder_says_what_it_passed_over(write_files):
    root = write_files(".hidden/1.jpg", "cat/Thumbs.db", "notes.txt")
    message = r"1 empty folder, 1 hidden, 1 left by the operating system, 1 other files"
    with pytest.raises(EmptyDatasetError, match=message):
        read_folder(root)


JPEG, PNG, GIF, BMP, WEBP = (
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM\x46\0\0\0\0\0\0\0",
    b"RIFF\x10\0\0\0WEBP",
)


def test_kaggles_training_and_testing_are_a_given_split(write_files):
    root = write_files("Training/a/1.jpg", "Training/b/2.jpg", "Testing/a/3.jpg", "Testing/b/4.jpg")
    assert [(label, split) for _, label, split in rows_of(root)] == [
        ("a", Split.TEST),
        ("b", Split.TEST),
        ("a", Split.TRAIN),
        ("b", Split.TRAIN),
    ]


@pytest.mark.parametrize(
    ("names", "split", "stranger"),
    [
        (("train/a/1.jpg", "train/b/2.jpg", "val/3.jpg"), "train", "val"),
        (("test/a/1.jpg", "test/b/2.jpg", "train/3.jpg"), "test", "train"),
        (("val/a/1.jpg", "test/a/2.jpg", "extra/3.jpg"), "test, val", "extra"),
        (("train/a/1.jpg", "train/b/2.jpg", "rest/a/3.jpg", "rest/b/4.jpg"), "train", "rest"),
        (("test/a/1.jpg", "test/b/2.jpg", "rest/a/3.jpg", "rest/b/4.jpg"), "test", "rest"),
    ],
)
def test_a_split_that_is_mixed_with_something_else_is_refused(write_files, names, split, stranger):
    message = rf"given split \({split}\).*none: {stranger}\.(?s:.)*<class>"
    with pytest.raises(DatasetError, match=message):
        read_folder(write_files(*names))


def test_class_folders_win_over_loose_files_however_many(write_files):
    loose = [f"x.{i}.jpg" for i in range(9)]
    listing = read_folder(write_files("cat/1.jpg", "dog/2.jpg", "notes.txt", *loose))
    assert {row.label for row in listing.rows} == {"cat", "dog"}
    assert listing.ignored == {
        "beside the class folders": 1,
        "loose image beside the class folders": 9,
    }


def test_flat_names_win_over_more_unlabelled_test_images(write_files):
    root = write_files("cat.0.jpg", "dog.0.jpg", "test1/1.jpg", "test1/2.jpg", "test1/3.jpg")
    listing = read_folder(root)
    assert {row.label for row in listing.rows} == {"cat", "dog"}
    assert listing.ignored == {"without a label": 3}


def test_one_folder_beside_flat_names_is_refused(write_files):
    root = write_files("cat.0.jpg", "dog.0.jpg", "extra/1.jpg")
    with pytest.raises(DatasetError, match="one folder with images, 'extra', and 2 files beside"):
        read_folder(root)


@pytest.mark.parametrize("start", [JPEG, PNG, GIF, BMP, WEBP])
def test_a_class_whose_names_end_oddly_is_known_by_its_content(write_files, start):
    root = write_files("cat/1.jpg", "dog/2.jpg_large", "dog/notes.txt")
    (root / "dog" / "2.jpg_large").write_bytes(start + bytes(9))
    assert rows_of(root) == [
        ("cat/1.jpg", "cat", Split.NONE),
        ("dog/2.jpg_large", "dog", Split.NONE),
        ("dog/notes.txt", "dog", Split.NONE),
    ]


@pytest.mark.parametrize("start", [b"BMW is a car maker", b"RIFF\x10\0\0\0WAVE", b""])
def test_a_folder_without_images_is_ignored_and_counted(write_files, start):
    root = write_files("cat/1.jpg", "sound/2.odd")
    (root / "sound" / "2.odd").write_bytes(start)
    listing = read_folder(root)
    assert {row.label for row in listing.rows} == {"cat"}
    assert listing.ignored == {"in a folder without images": 1}


@pytest.mark.parametrize("names", [("dog/2.odd",), ("cat/1.odd", "dog/2.odd")])
def test_a_set_of_nothing_but_odd_names_is_read(write_files, names):
    root = write_files(*names)
    for name in names:
        (root / name).write_bytes(JPEG)
    assert [path for path, _, _ in rows_of(root)] == list(names)


def test_a_lone_class_of_files_without_extension_is_a_class(write_files):
    assert rows_of(write_files("cat/a")) == [("cat/a", "cat", Split.NONE)]

import os
from pathlib import Path

import pytest

from pipeline.datasets.scan import has_image, scan_folder
from pipeline.errors import DatasetError


def test_hidden_and_system_files_are_ignored_and_counted(write_files):
    root = write_files(
        "cat/1.jpg",
        "cat/.DS_Store",
        "cat/._1.jpg",
        "cat/.ipynb_checkpoints/1.jpg",
        "cat/Thumbs.db",
        "cat/desktop.ini",
        "__MACOSX/cat/1.jpg",
        "dog/",
    )
    tree = scan_folder(root)
    assert tree.files == ("cat/1.jpg",)
    assert tree.ignored == {
        "hidden": 3,
        "left by the operating system": 3,
        "empty folder": 1,
    }


def test_links_inside_the_root_are_followed(write_files):
    root = write_files("cat/1.jpg", "more/2.jpg")
    (root / "cat" / "link.jpg").symlink_to(root / "more" / "2.jpg")
    (root / "alias").symlink_to("more", target_is_directory=True)
    assert sorted(scan_folder(root).files) == [
        "alias/2.jpg",
        "cat/1.jpg",
        "cat/link.jpg",
        "more/2.jpg",
    ]


def test_links_out_of_the_root_broken_links_and_loops_are_counted(write_files):
    outside = write_files("secret.jpg", under="outside")
    # A folder whose name begins like the root's is outside of it all the same.
    sibling = write_files("1.jpg", under="set-2")
    root = write_files("cat/1.jpg")
    (root / "cat" / "file.jpg").symlink_to(outside / "secret.jpg")
    (root / "cat" / "folder").symlink_to(sibling, target_is_directory=True)
    (root / "cat" / "up").symlink_to("..", target_is_directory=True)
    (root / "cat" / "self").symlink_to("self")
    (root / "cat" / "gone.jpg").symlink_to("nowhere.jpg")
    tree = scan_folder(root)
    assert tree.files == ("cat/1.jpg",)
    assert tree.ignored == {"link out of the data set": 2, "link loop": 2, "broken link": 1}


def test_two_folders_that_link_to_each_other_end(write_files):
    root = write_files("a/1.jpg", "b/2.jpg")
    (root / "a" / "to-b").symlink_to("../b", target_is_directory=True)
    (root / "b" / "to-a").symlink_to("../a", target_is_directory=True)
    tree = scan_folder(root)
    assert sorted(tree.files) == ["a/1.jpg", "a/to-b/2.jpg", "b/2.jpg", "b/to-a/1.jpg"]
    assert tree.ignored == {"link loop": 2}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_opened(write_files):
    root = write_files("cat/1.jpg")
    os.mkfifo(root / "cat" / "2.jpg")
    tree = scan_folder(root)
    assert tree.files == ("cat/1.jpg",)
    assert tree.ignored == {"not a regular file": 1}


def test_names_that_are_not_utf8_come_through(write_files):
    name = os.fsdecode(b'caf\xe9 \n,"=1.jpg')
    root = write_files(f"cat/{name}")
    assert scan_folder(root).files == (f"cat/{name}",)


def test_a_folder_that_is_not_there_is_a_dataset_error(tmp_path: Path):
    with pytest.raises(DatasetError, match="Cannot list the folder"):
        scan_folder(tmp_path / "none")


def test_has_image_looks_below_but_not_at_archives_or_hidden_files(write_files):
    root = write_files("archive.zip", ".staging/1.jpg", "empty/")
    assert not has_image(root)
    assert not has_image(root / "none")
    write_files("PetImages/Cat/1.JPG")
    assert has_image(root)

import contextlib
import errno
import itertools
import os
import subprocess
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


def deny_listing(monkeypatch, denied: Path) -> None:
    """Make one folder unlistable: the tests may run as root, whom no permission stops."""
    scandir = os.scandir

    def scandir_or_deny(path):
        if Path(path) == denied:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir_or_deny)


@pytest.mark.parametrize("denied", ["dog", "cat/black", "."])
def test_a_folder_that_cannot_be_listed_is_refused_by_name(write_files, monkeypatch, denied):
    root = write_files("cat/1.jpg", "cat/black/2.jpg", "dog/3.jpg")
    deny_listing(monkeypatch, root / denied)
    message = rf"Cannot list the folder {root / denied}: Permission denied.*Check its permissions"
    with pytest.raises(DatasetError, match=message):
        scan_folder(root)


def test_what_cannot_be_listed_is_present_so_that_reading_it_says_why(write_files, monkeypatch):
    root = write_files("cat/notes.txt")
    deny_listing(monkeypatch, root / "cat")
    assert has_image(root)


def test_a_folder_of_the_system_that_cannot_be_listed_is_no_class(write_files, monkeypatch):
    root = write_files("cat/1.jpg", "lost+found/")
    deny_listing(monkeypatch, root / "lost+found")
    assert scan_folder(root).files == ("cat/1.jpg",)


def test_a_link_to_what_cannot_be_read_is_refused(write_files, monkeypatch):
    root = write_files("cat/1.jpg", "hidden/2.jpg")
    (root / "dog").symlink_to("hidden", target_is_directory=True)
    realpath = os.path.realpath

    def realpath_or_deny(path, *, strict=False):
        if strict:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return realpath(path)

    monkeypatch.setattr(os.path, "realpath", realpath_or_deny)
    with pytest.raises(DatasetError, match=r"Cannot list the folder .*hidden: Permission denied"):
        scan_folder(root)


def test_each_folder_is_visited_once_through_links(write_files):
    names = [f"{i:02d}" for i in range(26)]
    root = write_files(*(f"{name}/1.jpg" for name in names))
    for name, following in itertools.pairwise(names):
        for link in ("a", "b"):
            (root / name / link).symlink_to(f"../{following}", target_is_directory=True)
    tree = scan_folder(root)
    behind_links = {f"{name}/a/1.jpg" for name in names[:-1]}
    assert set(tree.files) == {f"{name}/1.jpg" for name in names} | behind_links
    # 25 links called b, and the two of each folder that was reached through a link itself.
    assert tree.ignored == {"link to a folder that another link leads to": 25 + 2 * 24}


@pytest.mark.parametrize("reverse", [False, True])
def test_the_link_that_wins_does_not_depend_on_the_order_on_disk(write_files, monkeypatch, reverse):
    root = write_files("x/1.jpg", "b/2.jpg")
    for link in ("a", "c", "b/d"):
        (root / link).symlink_to(root / "x", target_is_directory=True)
    scandir = os.scandir

    def scandir_in_order(path):
        with scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name, reverse=reverse)
        return contextlib.nullcontext(found)

    monkeypatch.setattr(os, "scandir", scandir_in_order)
    assert sorted(scan_folder(root).files) == ["a/1.jpg", "b/2.jpg", "x/1.jpg"]


def test_folders_nested_too_deeply_are_refused(write_files):
    deep = "/".join(["d"] * 1200)
    root = write_files("cat/1.jpg")
    folder = root
    with contextlib.chdir(root):
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
    assert len(str(root / deep)) > 2400
    try:
        with pytest.raises(DatasetError, match=r"nested more than 200 deep: 'd/d/.* Move them up"):
            scan_folder(folder)
    finally:
        subprocess.run(["rm", "-rf", str(root / "d")], check=True)


def test_folders_nested_as_deeply_as_allowed_are_read(write_files):
    path = "d/" * 199 + "1.jpg"
    assert scan_folder(write_files(path)).files == (path,)

"""Images to be looked at, in whatever way they are named."""

import os

import pytest

from pipeline.datasets.given import NO_IMAGE, list_given, split_list
from pipeline.errors import DatasetError, EmptyDatasetError
from tests.conftest import save_photo


def given(*words, stdin=b""):
    return list_given([str(word) for word in words], read_list=lambda: stdin)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("b.jpg", "a/2.JPG", "a/10.png", "a/deep/x", "Z.webp")):
        save_photo(tmp_path / "pets" / name, seed=i)
    (tmp_path / "pets" / "notes.txt").write_text("hello")
    (tmp_path / "pets" / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "pets" / "broken.jpg").write_bytes(b"")
    return tmp_path


def test_a_file_is_itself_however_it_is_called(folder):
    assert given("pets/a/deep/x", "./pets/b.jpg").paths == ("pets/a/deep/x", "./pets/b.jpg")


def test_a_folder_is_its_images_in_the_order_of_their_names(folder):
    found = given("pets")
    assert found.paths == (
        *("pets/Z.webp", "pets/a/10.png", "pets/a/2.JPG", "pets/a/deep/x", "pets/b.jpg"),
        "pets/broken.jpg",
    )
    assert found.ignored == {NO_IMAGE: 1, "hidden": 1}


def test_the_order_is_that_of_the_words_and_what_is_named_twice_comes_twice(folder):
    found = given("pets/b.jpg", "pets/a", "pets/b.jpg")
    assert found.paths[0] == found.paths[-1] == "pets/b.jpg"
    assert len(found.paths) == 5


class TestTables:
    @pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
    def test_the_rows_come_in_their_order_and_labels_count_for_nothing(self, folder, name):
        text = {
            "t.csv": "label,file_name\nx,pets/b.jpg\n,pets/gone.jpg\ny,pets/a/2\nz,pets/b.jpg\n",
            "t.jsonl": '{"path": "pets/b.jpg", "label": ["x"]}\n{"path": "pets/gone.jpg"}\n'
            '{"path": "pets/a/2"}\n{"path": "pets/b.jpg"}\n',
        }[name]
        (folder / name).write_text(text)
        found = given(name)
        # What does not exist stays, to be answered with its reason; an extension is looked up.
        assert found.paths == ("pets/b.jpg", "pets/gone.jpg", "pets/a/2.JPG", "pets/b.jpg")

    def test_paths_count_from_the_table(self, folder):
        (folder / "pets" / "list.csv").write_text("image\nb.jpg\n../pets/Z.webp\n")
        found = given("pets/list.csv")
        assert [os.path.normpath(path) for path in found.paths] == ["pets/b.jpg", "pets/Z.webp"]

    def test_absolute_paths_stay_absolute(self, folder):
        (folder / "t.csv").write_text(f"path\n{folder}/pets/b.jpg\n{folder}/gone.jpg\n")
        assert given("t.csv").paths == (f"{folder}/pets/b.jpg", f"{folder}/gone.jpg")

    def test_a_column_called_split_need_not_be_one(self, folder):
        (folder / "t.csv").write_text("path,split\npets/b.jpg,7\n")
        assert given("t.csv").paths == ("pets/b.jpg",)

    def test_without_a_column_of_paths_it_says_which_it_wants(self, folder):
        (folder / "t.csv").write_text("a,b\n1,2\n")
        with pytest.raises(DatasetError, match="no column for the file"):
            given("t.csv")

    def test_without_rows_it_is_empty(self, folder):
        (folder / "t.csv").write_text("path,label\n")
        with pytest.raises(EmptyDatasetError, match="has no rows"):
            given("t.csv")


class TestLists:
    @pytest.mark.parametrize(
        ("data", "paths"),
        [
            (b"a.jpg\nb c.jpg\n", ["a.jpg", "b c.jpg"]),
            (b"a.jpg\r\n\r\nb.jpg", ["a.jpg", "b.jpg"]),
            (b"a\nb.jpg\0c.jpg\0", ["a\nb.jpg", "c.jpg"]),
            (b"", []),
            (b"caf\xe9.jpg\n", [os.fsdecode(b"caf\xe9.jpg")]),
        ],
    )
    def test_a_line_a_path_or_what_find_print0_gives(self, data, paths):
        assert split_list(data) == paths

    def test_a_hyphen_stands_for_the_list(self, folder):
        assert given("pets/b.jpg", "-", stdin=b"x.jpg\ny.jpg\n").paths == (
            *("pets/b.jpg", "x.jpg", "y.jpg"),
        )


class TestNothing:
    def test_what_is_not_there_is_named(self, folder):
        with pytest.raises(DatasetError, match=r"no file or folder 'pets/gone.jpg'"):
            given("pets/b.jpg", "pets/gone.jpg")

    def test_a_folder_without_images_is_empty_and_says_what_lies_in_it(self, folder):
        (folder / "empty").mkdir()
        (folder / "empty" / "a.txt").write_text("x")
        with pytest.raises(EmptyDatasetError, match=r"'empty' \(1 no image by name"):
            given("empty")

    def test_an_empty_list_is_empty(self):
        with pytest.raises(EmptyDatasetError, match="no image in the list on stdin"):
            given("-")

    def test_a_broken_link_is_answered_as_a_file_that_cannot_be_read(self, folder):
        (folder / "link.jpg").symlink_to("nowhere.jpg")
        assert given("link.jpg").paths == ("link.jpg",)

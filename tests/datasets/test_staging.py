from pathlib import Path

import pytest

from pipeline.datasets.staging import stage_folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_appears_whole_at_the_end(tmp_path):
    with stage_folder(tmp_path / "deep" / "set") as staging:
        (staging / "1.jpg").write_bytes(b"1")
        assert not (tmp_path / "deep" / "set").exists()
        assert staging.name.startswith(".")
    assert names_in(tmp_path / "deep") == ["set"]
    assert names_in(tmp_path / "deep" / "set") == ["1.jpg"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_of_a_failure(tmp_path, error):
    def fail() -> None:
        with stage_folder(tmp_path / "set") as staging:
            (staging / "1.jpg").write_bytes(b"1")
            raise error

    with pytest.raises(error):
        fail()
    assert names_in(tmp_path) == []


def test_what_a_kill_left_is_removed_first(tmp_path):
    left = tmp_path / ".set.partial" / "cat"
    left.mkdir(parents=True)
    (left / "half.jpg").write_bytes(b"1")
    with stage_folder(tmp_path / "set") as staging:
        assert names_in(staging) == []
    assert names_in(tmp_path) == ["set"]


def test_an_empty_folder_is_replaced_and_a_full_one_is_not(tmp_path):
    (tmp_path / "set").mkdir()
    with stage_folder(tmp_path / "set") as staging:
        (staging / "1.jpg").write_bytes(b"1")
    with pytest.raises(OSError, match="not empty"), stage_folder(tmp_path / "set") as staging:
        (staging / "2.jpg").write_bytes(b"2")
    assert names_in(tmp_path) == ["set"]
    assert names_in(tmp_path / "set") == ["1.jpg"]

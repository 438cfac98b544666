from pathlib import Path

import pytest

from pipeline import model_places
from pipeline.errors import ConfigError, PipelineError
from pipeline.model_places import check_place, choose_format, choose_place


def test_the_format_is_what_the_name_says(tmp_path):
    for name, suffix in (("onnx", ".onnx"), ("openvino", ".xml"), ("onnx", ".ONNX")):
        assert choose_format(None, tmp_path / f"m{suffix}") == name
    assert choose_format(None, None) == "keras"
    with pytest.raises(ConfigError, match="--format must be one of keras, onnx"):
        choose_format("pickle", None)
    with pytest.raises(ConfigError, match=r"must end in one of \.keras, \.onnx, .*--format"):
        choose_format(None, tmp_path / "m.pb")


def test_the_name_is_that_of_data_set_and_classifier():
    place = choose_place(None, "openvino", {"dataset": "photos", "clf": "logreg"})
    assert str(place) == "photos-logreg.xml"


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.onnx: --to .*m\.onnx, not"):
        check_place(tmp_path / "m.pb", "onnx", overwrite=True)


@pytest.mark.parametrize("name", ["m.xml", "m.bin", "m.xml.md"])
def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(PipelineError, match=r"is there already.*--overwrite"):
        check_place(tmp_path / "m.xml", "openvino", overwrite=False)
    check_place(tmp_path / "m.xml", "openvino", overwrite=True)


def test_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(PipelineError, match=r"is a folder\. .* --to .*m\.keras/model\.keras"):
        check_place(tmp_path / "m.keras", "keras", overwrite=True)


def test_here_is_a_folder():
    with pytest.raises(PipelineError, match=r"^\. is a folder"):
        check_place(Path(), choose_format(None, Path()), overwrite=False)


def test_a_folder_that_nothing_can_be_written_in_is_said_at_once(tmp_path, monkeypatch):
    to = tmp_path / "yet" / "to be made" / "m.keras"
    check_place(to, "keras", overwrite=False)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PipelineError, match=r"nothing can be written in .*file"):
        check_place(tmp_path / "file" / "m.keras", "keras", overwrite=False)
    monkeypatch.setattr(model_places.os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(PipelineError, match=f"nothing can be written in {tmp_path}"):
        check_place(to, "keras", overwrite=False)

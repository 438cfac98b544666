"""Answers as CSV and JSON lines, for programs and spreadsheets."""

import csv
import io
import json
import os

import pytest

from pipeline.errors import ConfigError
from pipeline.predicting.writing import AnswerLines, choose_format, writing_whole
from pipeline.records import Answer

CAT = Answer(path="a/1.jpg", classes=("cat", "dog"), probabilities=(0.75, 0.25))
BAD = Answer(path="a/2.jpg", reason="zero bytes")


def written(answers, name, **options):
    output = io.BytesIO()
    lines = AnswerLines(output, name, **{"kind": "probability", "topk": 1, **options})
    for answer in answers:
        lines.write([answer])
    return output.getvalue()


def table(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))


class TestCsv:
    def test_a_row_an_image_with_its_label_and_probability(self):
        first, second = table(written([CAT, BAD], "csv"))
        assert first == {
            "path": "a/1.jpg",
            "label": "cat",
            "class": "cat",
            "probability": "0.75",
            "reason": "",
        }
        assert second["label"] == second["class"] == second["probability"] == ""
        assert second["reason"] == "zero bytes"

    def test_more_classes_are_more_columns(self):
        (row,) = table(written([CAT], "csv", topk=3))
        assert (row["class_2"], row["probability_2"], row["class_3"]) == ("dog", "0.25", "")

    def test_numbers_are_exact(self):
        third = Answer(path="x", classes=("cat",), probabilities=(1 / 3,))
        assert float(table(written([third], "csv"))[0]["probability"]) == 1 / 3

    def test_scores_are_called_so(self):
        scored = Answer(path="x", classes=("cat",), scores=(-1.5,))
        (row,) = table(written([scored], "csv", kind="score"))
        assert row["score"] == "-1.5"

    def test_doubt_has_columns_of_its_own(self):
        unknown = Answer(
            path="x",
            classes=("cat",),
            probabilities=(1.0,),
            distance=2.5,
            is_unknown=True,
            label_set=("cat", 'a "b", c'),
        )
        (row,) = table(written([unknown], "csv", has_distance=True, has_set=True))
        assert (row["label"], row["class"], row["distance"]) == ("unknown", "cat", "2.5")
        assert json.loads(row["label_set"]) == ["cat", 'a "b", c']

    @pytest.mark.parametrize("name", ["=1+1", "@x", "-cat"])
    def test_names_that_a_spreadsheet_would_run_are_made_harmless(self, name):
        evil = Answer(path=name, classes=(name,), probabilities=(1.0,))
        (row,) = table(written([evil], "csv"))
        assert row["path"] == f"./{name}"
        assert row["label"] == row["class"] == f"'{name}"

    def test_names_of_any_bytes_keep_them(self):
        odd = os.fsdecode(b'caf\xe9,\n".jpg')
        data = written([Answer(path=odd, classes=("x",), probabilities=(1.0,))], "csv")
        assert table(data)[0]["path"] == odd
        assert b"caf\xe9" in data


class TestJsonLines:
    def test_a_line_an_image(self):
        first, second = map(json.loads, written([CAT, BAD], "jsonl", topk=2).splitlines())
        assert first == {
            "path": "a/1.jpg",
            "label": "cat",
            "classes": ["cat", "dog"],
            "probabilities": [0.75, 0.25],
        }
        assert second == {"path": "a/2.jpg", "label": None, "reason": "zero bytes"}

    def test_a_line_is_one_line_whatever_the_name_holds(self):
        odd = Answer(path=os.fsdecode(b"a\n\xff\r.jpg"), reason="zero bytes")
        (line,) = written([odd], "jsonl").splitlines()
        assert os.fsencode(json.loads(line)["path"]) == b"a\n\xff\r.jpg"


class TestFormat:
    @pytest.mark.parametrize(
        ("name", "to", "expected"),
        [
            (None, None, "table"),
            ("csv", None, "csv"),
            (None, "a.csv", "csv"),
            (None, "a.JSONL", "jsonl"),
            (None, "a.ndjson", "jsonl"),
            ("csv", "a.txt", "csv"),
        ],
    )
    def test_the_name_of_the_file_tells_it(self, name, to, expected, tmp_path):
        assert choose_format(name, to and tmp_path / to) == expected

    @pytest.mark.parametrize(
        ("name", "to", "words"),
        [
            ("xml", None, "--format must be one of table, csv, jsonl"),
            (None, "a.xlsx", r"ends in '.xlsx'; expected .csv or .jsonl"),
            (None, "a", "ends in ''"),
            ("table", "a.csv", "A table is printed, not written"),
        ],
    )
    def test_what_is_none_is_wrong_usage(self, name, to, words, tmp_path):
        with pytest.raises(ConfigError, match=words):
            choose_format(name, to and tmp_path / to)


class TestFile:
    def test_it_is_there_whole(self, tmp_path):
        path = tmp_path / "new" / "a.csv"
        with writing_whole(path) as output:
            output.write(b"x")
            assert not path.exists()
        assert path.read_bytes() == b"x"
        assert list(path.parent.iterdir()) == [path]

    def test_or_not_at_all_and_what_was_there_stays(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(b"old")

        def write_half():
            with writing_whole(path) as output:
                output.write(b"new")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_half()
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_answers_are_handed_on_as_they_are_made(tmp_path, name):
    with (tmp_path / "a").open("wb") as output:  # buffered, as a pipe
        AnswerLines(output, name, kind="probability", topk=1).write([CAT])
        assert b"a/1.jpg" in (tmp_path / "a").read_bytes()

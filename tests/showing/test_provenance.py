import shlex
from dataclasses import replace

from pipeline.config import FitConfig
from pipeline.invocation import fit_command
from pipeline.records import FitResult
from pipeline.showing.evidence import read_evidence
from pipeline.showing.provenance import list_commands, list_provenance


def test_what_decides_the_fit_is_named(fitted):
    evidence = read_evidence(fitted)
    found = dict(list_provenance(evidence))
    assert found["key of the recipe"] == evidence.report.key
    assert found["transfer values, SHA-256"] == evidence.samples.content_sha256
    assert found["backbone"] == "efficientnet-lite0"
    assert found["image size, pixels"] == "32"
    assert "numpy" in found["extracted by"]
    assert "scikit-learn" in found["fitted by"]
    assert found["fitted"] == evidence.info["created"]


def test_without_the_store_the_fit_is_still_named(fitted):
    evidence = replace(read_evidence(fitted), samples=None)
    found = dict(list_provenance(evidence))
    assert "extracted by" not in found
    assert found["fit"] == str(fitted)


def test_the_commands_say_what_is_not_the_default(fitted):
    evidence = read_evidence(fitted)
    extract, fit, report = list_commands(evidence)
    assert "--image-size 32" in extract
    assert shlex.split(fit) == [
        "fit",
        str(evidence.store),
        *["--clf", "logreg", "--test-size", "0.5"],
    ]
    assert shlex.split(report) == ["report", str(fitted), "--html"]
    assert list_commands(replace(evidence, samples=None)) == (fit, report)


def test_a_fit_command_names_switches_and_values(tmp_path):
    config = FitConfig(clf="svm", C=3.0, tune=False, learning_curve=True, stream=False, shots=5)
    words = shlex.split(fit_command(config.to_dict(), tmp_path / "a b.zarr"))
    assert words[:4] == ["fit", str(tmp_path / "a b.zarr"), "--clf", "svm"]
    assert words[4:] == [
        *("--C", "3.0", "--no-tune", "--shots", "5", "--learning-curve", "--no-stream")
    ]


def test_a_result_says_where_its_page_is(fitted, tmp_path):
    report = read_evidence(fitted).report
    result = FitResult(report=report, folder=fitted, reused=False, page=tmp_path / "x.html")
    assert result.to_dict()["page"] == str(tmp_path / "x.html")
    assert replace(result, page=None).to_dict()["page"] is None

"""`pipeline cache` as a user meets it."""

import json

import pytest
from typer.testing import CliRunner

from pipeline import commands
from pipeline.cli import app
from tests.made_stores import PATHS, make_store
from tests.test_imports import loaded_by


@pytest.fixture(autouse=True)
def _own_signals(monkeypatch):
    monkeypatch.setattr(commands.signals, "install", lambda: None)


def run(*words):
    return CliRunner().invoke(app, ["cache", *map(str, words)])


@pytest.fixture
def stores(tmp_path):
    contents = dict.fromkeys(PATHS)
    return [make_store(tmp_path, contents), make_store(tmp_path, contents | {"dog/x.jpg": None})]


def test_ls(tmp_path, stores):
    found = run("ls", "--cache-dir", tmp_path)
    assert found.exit_code == 0
    assert stores[0].stem in found.stdout
    assert "2 stores in" in found.stdout
    as_json = json.loads(run("ls", "--cache-dir", tmp_path, "--json").stdout)
    assert sorted(entry["path"] for entry in as_json) == sorted(map(str, stores))
    assert json.loads(run("ls", "--cache-dir", tmp_path, "--dataset", "x", "--json").stdout) == []
    assert len(json.loads(run("ls", "--cache-dir", tmp_path, "--model",
                              "EfficientNet-Lite0", "--json").stdout)) == 2  # fmt: skip


def test_ls_of_an_empty_cache(tmp_path):
    found = run("ls", "--cache-dir", tmp_path)
    assert (found.exit_code, "run: extract" in found.stdout) == (0, True)


def test_info_of_the_newest_and_of_a_named_one(tmp_path, stores):
    assert "cat" in run("info", "--cache-dir", tmp_path).stdout
    named = run("info", stores[1].stem, "--cache-dir", tmp_path, "--json")
    assert json.loads(named.stdout)["entry"]["path"] == str(stores[1])
    missing = run("info", "nothing", "--cache-dir", tmp_path)
    assert missing.exit_code == 1
    assert "pipeline cache ls" in missing.stderr


def test_diff_ends_with_0_whether_they_differ_or_not(tmp_path, stores):
    same = run("diff", stores[0], stores[0], "--cache-dir", tmp_path)
    other = run("diff", stores[0], stores[1].stem, "--cache-dir", tmp_path, "--json")
    assert (same.exit_code, other.exit_code) == (0, 0)
    assert "identical" in same.stdout
    assert json.loads(other.stdout)["only_b"] == ["dog/x.jpg"]
    assert "exit code is 0 whether" in " ".join(run("diff", "--help").stdout.split())


def test_gc(tmp_path, stores):
    half = stores[0].with_name(f".{stores[0].name}.0123abcd.partial")
    half.mkdir()
    dry = run("gc", "--cache-dir", tmp_path, "--dry-run")
    assert (dry.exit_code, "would be removed" in dry.stdout, half.exists()) == (0, True, True)
    done = json.loads(run("gc", "--cache-dir", tmp_path, "--json").stdout)
    assert [item["path"] for item in done["removed"]] == [str(half)]
    assert not half.exists()
    assert len(json.loads(run("gc", "--superseded", "--cache-dir", tmp_path, "--json").stdout)[
        "removed"]) == 1  # fmt: skip


def test_export(tmp_path, stores):
    words = ("export", stores[0].stem, "--cache-dir", tmp_path, "--to", tmp_path / "x.csv")
    done = run(*words, "--json")
    assert (done.exit_code, json.loads(done.stdout)["format"]) == (0, "csv")
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 13
    again = run(*words)
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr
    assert run(*words, "--overwrite").exit_code == 0
    other = run("export", "--cache-dir", tmp_path, "--to", tmp_path / "y", "--format", "xlsx")
    assert (other.exit_code, "npy, csv, parquet" in other.stderr) == (2, True)
    assert run("export").exit_code == 2


@pytest.mark.parametrize("command", ["", "ls", "info", "diff", "gc", "export"])
def test_help_loads_no_heavy_library(command):
    code = (
        "import contextlib, io, sys\n"
        "from pipeline.cli import main\n"
        f"sys.argv = ['pipeline', 'cache', *{command.split()!r}, '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    main()\n"
        "assert 'Usage' in out.getvalue()"
    )
    assert loaded_by(code) == set()


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("pipeline.stages.stores", {"zarr"}),
        ("pipeline.stages.diff", {"zarr"}),
        ("pipeline.stages.clean", {"zarr"}),
        ("pipeline.stages.export_values", {"zarr", "pandas"}),
        ("pipeline.store_tables", set()),
    ],
)
def test_a_stage_loads_no_more_than_it_needs(module, allowed):
    assert loaded_by(f"import {module}") <= allowed

"""What a command loads decides how soon it answers."""

import subprocess
import sys

import pytest

from pipeline import TransferValues
from tests.conftest import MeanColourEngine

HEAVY = (
    *("tensorflow", "keras", "jax", "torch", "openvino"),
    *("sklearn", "zarr", "matplotlib", "pandas"),
)


def loaded_by(code: str) -> set[str]:
    """Return which heavy libraries a fresh interpreter has loaded after running some code."""
    show = f"import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", f"{code}\n{show}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


COMMANDS = (
    *("", "extract", "fit", "report", "run", "advise", "finetune", "predict", "export"),
    *("models", "datasets", "doctor", "cache"),
    *("cache ls", "cache info", "cache verify", "cache diff", "cache gc", "cache export"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_heavy_library(command):
    code = (
        "import contextlib, io, sys\n"
        "from pipeline.cli import main\n"
        f"sys.argv = ['pipeline', *{command.split()!r}, '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    main()\n"
        "assert 'Usage' in out.getvalue()"
    )
    assert loaded_by(code) == set()


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("pipeline", set()),
        ("pipeline.transformer", {"zarr", "sklearn", "pandas"}),  # scikit-learn loads pandas
        ("pipeline.records", set()),
        ("pipeline.images", set()),
        ("pipeline.datasets", set()),
        ("pipeline.cache", {"zarr"}),
        ("pipeline.backbones.specs", set()),
        ("pipeline.backbones.weights", set()),
        ("pipeline.stages.extract", {"zarr"}),
        ("pipeline.stages.verify", {"zarr"}),
        ("pipeline.stages.stores", {"zarr"}),
        ("pipeline.stages.doctor", set()),
        ("pipeline.stages.models", set()),
        ("pipeline.stages.datasets", set()),
        ("pipeline.stages.report", {"zarr"}),
        ("pipeline.stages.fit", {"zarr", "sklearn", "pandas"}),
    ],
)
def test_a_module_loads_no_more_than_it_needs(module, allowed):
    assert loaded_by(f"import {module}") <= allowed


def test_the_transformer_is_loaded_when_it_is_asked_for():
    assert "sklearn" in loaded_by("from pipeline import TransferValues")


def test_values_that_are_in_the_cache_are_read_without_a_deep_learning_framework(photos, tmp_path):
    paths = sorted(map(str, photos.glob("*/*.jpg")))
    settings = {"cache_dir": str(tmp_path / "cache"), "image_size": 32, "weights": "random"}

    class MeanColours(TransferValues):
        _open_engine = staticmethod(lambda job: MeanColourEngine())

    MeanColours(**settings).fit(paths)
    code = f"from pipeline import TransferValues\nTransferValues(**{settings!r}).fit({paths!r})"
    assert loaded_by(code) <= {"zarr", "sklearn", "pandas"}

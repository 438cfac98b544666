"""Imports go downward, never sideways, and only cli/ and opening.py import late."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline"
LAYERS = (
    ("errors", "__init__"),
    ("config", "records", "durable", "machine", "palette"),
    ("download", "views", "gates"),
    (
        *("datasets", "images", "backbones", "cache", "splits", "classifiers", "metrics"),
        *("predictions", "artifacts", "plots", "printing", "sheets", "options", "console"),
        *("invocation", "exporting", "streaming", "twins", "label_errors", "learning_curve"),
        *("page", "projection", "activation", "tuned", "model_card", "model_places"),
    ),
    ("extraction", "ranking", "grouping", "finetuning", "fitting", "self_check"),
    ("showing", "predicting", "doubting", "advising"),
    ("stages",),
    (
        *("commands", "opening", "loose", "tables", "store_tables", "fit_tables"),
        *("tuning_tables", "prediction_tables", "export_tables", "advice_tables"),
    ),
    ("cli", "transformer", "model"),
    ("__main__",),
)
OWNERS = {
    "PIL": {"images"},
    "zarr": {"cache"},
    "sklearn": {
        *("classifiers", "splits", "artifacts", "datasets", "streaming", "transformer"),
        "projection",
    },
    "pandas": {"predictions"},
    "keras": {"backbones", "finetuning"},
    "tensorflow": {"backbones"},
    "openvino": {"backbones"},
    "matplotlib": {"plots"},
    "jinja2": {"page"},
    "bokeh": {"page"},
    "typer": {"options", "commands", "cli"},
}


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def layer_of(part: str) -> int:
    found = [level for level, parts in enumerate(LAYERS) if part in parts]
    assert found, f"pipeline/{part} has no layer: add it to LAYERS"
    return found[0]


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are written in full"
        module = node.module or ""
        if module == "pipeline":
            return [f"pipeline.{a.name}" if a.name[0] != "_" else module for a in node.names]
        return [module]
    return []


def all_imports(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [name for node in ast.walk(tree) for name in imported_modules(node)]


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in all_imports(path):
        if not module.startswith("pipeline"):
            continue
        other = part_of(module)
        if other != own:
            assert layer_of(other) < layer_of(own), f"{own} imports {module}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_stages_do_not_import_each_other(path):
    if path.parent.name == "stages":
        assert not [name for name in all_imports(path) if name.startswith("pipeline.stages")]


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_and_what_opens_engines_import_late(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Lambda))]
    late = [name for f in functions for node in ast.walk(f) for name in imported_modules(node)]
    if path.name == "opening.py":
        assert late
    elif path.parent.name != "cli":
        assert not late


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_heavy_library_has_one_owner(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in all_imports(path):
        owners = OWNERS.get(module.split(".")[0])
        assert owners is None or own in owners, f"{own} imports {module}"

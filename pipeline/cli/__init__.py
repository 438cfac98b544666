"""The commands: parse, call one stage, print.

The only package that imports late: `--help` must not load zarr, scikit-learn or a deep-learning
framework, a finished extraction no deep-learning framework, and `fit` none either.
"""

# Their commands are added in this order, which is that of --help.
from pipeline.cli import (  # isort: skip
    learning,  # noqa: F401
    advising,  # noqa: F401
    finetuning,  # noqa: F401
    predicting,  # noqa: F401
    exporting,  # noqa: F401
    comparing,  # noqa: F401
    asking,  # noqa: F401
    cache,  # noqa: F401
    plot,  # noqa: F401
)
from pipeline.cli.apps import app, cache_app, extract_app, fit_app, plot_app, report_app

__all__ = [
    "app",
    "cache_app",
    "extract_app",
    "extract_main",
    "fit_app",
    "fit_main",
    "main",
    "plot_app",
    "report_app",
    "report_main",
]


def main() -> None:
    """Run the umbrella command."""
    app(prog_name="pipeline")


def extract_main() -> None:
    """Run `extract` as a command of its own."""
    extract_app(prog_name="extract")


def fit_main() -> None:
    """Run `fit` as a command of its own."""
    fit_app(prog_name="fit")


def report_main() -> None:
    """Run `report` as a command of its own."""
    report_app(prog_name="report")

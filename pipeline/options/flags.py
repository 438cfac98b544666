"""How a flag is written down, and the panels of the help that flags stand in."""

import typer
from typer.models import OptionInfo

from pipeline.config import ExtractConfig, FitConfig

EXTRACT = ExtractConfig()
FIT = FitConfig()

IMAGES = "Images"
NETWORK = "Network"
MACHINE = "Machine"
CLASSIFIER = "Classifier"
SPLIT = "Split"
PLACE = "Place"
OUTPUT = "Output"


def option(
    flag: str,
    panel: str,
    text: str,
    metavar: str | None = None,
    *,
    default: str | bool = True,
) -> OptionInfo:
    """Return a flag; `default` is how the help names a default that is not a plain value."""
    option: OptionInfo = typer.Option(
        ..., flag, help=text, metavar=metavar, rich_help_panel=panel, show_default=default
    )
    return option


def choices(values: tuple[str, ...]) -> str:
    """Return what a flag takes, as the help has it."""
    return "|".join(values)

"""The applications that commands are added to."""

from __future__ import annotations

import typer

from pipeline import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Classify images with a headless pretrained CNN and a classical classifier.",
)
extract_app, fit_app, report_app = (
    typer.Typer(add_completion=False, pretty_exceptions_enable=False) for _ in range(3)
)

cache_app = typer.Typer(no_args_is_help=True, help="Look after the stores of transfer values.")
app.add_typer(cache_app, name="cache")
plot_app = typer.Typer(no_args_is_help=True, help="Draw what is in a store, before any fit.")
app.add_typer(plot_app, name="plot")


@app.callback(invoke_without_command=True)
def _show_version(
    *, version: bool = typer.Option(False, "--version", help="Print the version and exit.")
) -> None:
    if version:
        typer.echo(f"transfer-values {__version__}")
        raise typer.Exit

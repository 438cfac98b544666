"""What `finetune` prints: its layers, its epochs, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.text import Text

from pipeline.datasets.resolve import describe_size
from pipeline.records import Epoch, TrainedLayer, TunedNetwork, find_best, printable, write_percent


def describe_layers(layers: Sequence[TrainedLayer]) -> str:
    """Return the layers that train, one a line, and those that do not, summed up."""
    rows = [("layer", "kind", "gives", "parameters", "")]
    for trains, run in groupby(layers, key=lambda layer: layer.trains):
        some = list(run)
        if trains:
            rows += [
                (
                    layer.name,
                    layer.kind,
                    " × ".join(f"{n:,}" for n in layer.shape),
                    f"{layer.n_parameters:,}",
                    "trains",
                )
                for layer in some
            ]
        else:
            n_parameters = sum(layer.n_parameters for layer in some)
            what = f"{len(some):,} layers" if len(some) > 1 else some[0].name
            rows.append((what, "", "", f"{n_parameters:,}", "frozen"))
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    return "\n".join(
        f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:{widths[2]}}  "
        f"{row[3]:>{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    )


def describe_kept(cut: Sequence[str], n_bytes: int) -> str:
    """Return a line on what is going to be computed once and kept: it may be tens of gigabytes."""
    return (
        f"Epochs run on what {' and '.join(cut)} {'gives' if len(cut) == 1 else 'give'}, computed "
        f"once: up to {describe_size(n_bytes)} in the cache (none with --no-cache-frozen)."
    )


def describe_epoch(history: Sequence[Epoch], n_epochs: int) -> str:
    """Return a line about the last of some epochs."""
    last, best = history[-1], find_best(history)
    mark = " (best so far)" if best == len(history) else ""
    return (
        f"Epoch {len(history)} of {n_epochs}: loss {last.loss:.4f}, accuracy "
        f"{write_percent(last.accuracy)} %; validation loss {last.validation_loss:.4f}, accuracy "
        f"{write_percent(last.validation_accuracy)} %{mark}; {last.seconds:.1f} s"
    )


def render_tuned(tuned: TunedNetwork, folder: Path) -> Text:
    """Return what a training came to: accuracy, epochs, layers, time, and where the weights are."""
    low, high = (write_percent(end) for end in tuned.accuracy_ci)
    best = tuned.history[tuned.best_epoch - 1]
    trained = [layer for layer in tuned.layers if layer.trains]
    n_trained = sum(layer.n_parameters for layer in trained)
    n_all = sum(layer.n_parameters for layer in tuned.layers)
    seconds = [epoch.seconds for epoch in tuned.history]
    where = f"from what {', '.join(tuned.cut)} gave" if tuned.cut else "from the images"
    rows = [
        (
            "accuracy",
            f"{write_percent(tuned.accuracy)} % [{low}, {high}] on {tuned.n_test:,} test images, "
            "with the head it was trained with",
        ),
        (
            "best epoch",
            f"{tuned.best_epoch} of {len(tuned.history)}: validation accuracy "
            f"{write_percent(best.validation_accuracy)} % on {tuned.n_validation:,} images",
        ),
        (
            "trained",
            f"{n_trained:,} of {n_all:,} parameters in {len(trained)} layers, on "
            f"{tuned.n_train:,} images, {where}",
        ),
        ("time", f"{sum(seconds):.1f} s, {sum(seconds) / len(seconds):.1f} s an epoch"),
        ("weights", str(folder)),
        *(("note", note) for note in tuned.notes),
    ]
    width = max(len(name) for name, _ in rows)
    title = printable(f"{tuned.dataset} × {tuned.model}, tuned")
    lines = [Text(title, style="bold")]
    lines += [
        Text.assemble((f"  {name:{width}}  ", "dim"), printable(value)) for name, value in rows
    ]
    return Text("\n").join(lines)

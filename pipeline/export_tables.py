"""What `export` prints."""

from __future__ import annotations

from rich.text import Text

from pipeline.records import ModelExport, printable


def render_model_export(export: ModelExport) -> Text:
    """Return what was written, and how it was checked."""
    check = export.check
    if check is None:
        checked = "no (--no-check): compare it with predict before use"
    else:
        checked = (
            f"same labels as predict on {check.n_images} images of {check.n_classes} classes, "
            f"{export.output} within {check.largest:.1e}"
        )
    rows = [
        ("file", " and ".join(printable(str(file)) for file in export.files)),
        ("card", printable(str(export.card))),
        ("size", f"{export.n_bytes / 1e6:,.1f} MB"),
        ("gives", export.output),
        ("checked", checked),
        ("time", f"{export.seconds:.1f} s"),
    ]
    if check is not None and check.largest_in_full is not None:
        words = (
            f"{check.n_shrunk} that predict shrinks while decoding: in full they differ by up to "
            f"{check.largest_in_full:.1e}"
        )
        rows.insert(-1, ("large photos", words))
    title = Text(f"{export.format}: {printable(export.fit.name)}\n", style="bold")
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    return Text.assemble(title, "\n".join(lines))

"""A Report as text for the terminal: readable in colour, without it, and in a file.

Class names, paths and notes are user text: they are never read as rich markup, and characters
that cannot be printed (control characters, line breaks, what the output's encoding lacks) are
shown as escapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.gates import describe_gate
from pipeline.records import (
    Report,
    describe_augment,
    flatten_recipe,
    printable,
    write_percent,
)

MAX_MATRIX_CLASSES = 20
MAX_CLASS_ROWS = 15
MAX_PAIRS = 10
MAX_MISTAKES = 10
MAX_TWINS = 5
MAX_SUSPECTS = 10
BAR = 20
WIDE = 100
MAX_NAME = 24
RECALL = "recall"
INDENT, GAP = 2, 2


def render_report(
    report: Report, *, width: int, encoding: str = "utf-8", verdict: Sequence[str] = ()
) -> RenderableType:
    """Lay a report out for a terminal.

    Parameters
    ----------
    report : Report
    width : int
        Columns, for example `Console.width`.
    encoding : str
        Of the output, for example `Console.encoding`; what it lacks is shown as escapes.
    verdict : sequence of str
        Sentences that say what it all comes to, for the end.

    Returns
    -------
    RenderableType
        For `Console.print`.
    """
    page = _Page(width=width, encoding=encoding)
    parts: list[RenderableType] = [
        page.headline(report),
        Text(),
        page.indent(page.summary(report)),
        *page.matrix(report),
        *page.classes(report),
        *page.pairs(report),
        *page.mistakes(report),
        *page.twins(report),
        *page.label_errors(report),
        *page.tuning(report),
        *page.learning_curve(report),
        *page.counts("Skipped images", report.skipped),
        *page.counts("Unusual images", _list_unusual(report)),
        *page.notes(report),
        *page.verdict(verdict),
    ]
    return Group(*parts)


def render_headline(report: Report) -> str:
    """Return a report's result in one line of ASCII, as a command says it when done."""
    return _Page(width=0, encoding="ascii").clean(
        f"{report.clf} on {report.dataset} with {report.model}: "
        f"accuracy {_percent_ci(report.accuracy, report.intervals['accuracy'])}, "
        f"{report.n_test:,} test images"
    )


def _describe_recipe(recipe: Mapping[str, Any]) -> str:
    """Return what tells one network's transfer values from another's: weights, layers, shape."""
    flat = flatten_recipe(recipe)
    weights = " + ".join(each["weights_sha256"][:8] for each in recipe["backbones"])
    words = [
        *(layer for backbone in recipe["backbones"] for layer in backbone["layers"]),
        "flattened" if flat["pooling"] == "none" else f"{flat['pooling']} pooling",
        f"{flat['input_size']} px {flat['resize']}",
        *describe_augment(recipe),
        str(flat["precision"]),
        "random weights" if weights.startswith("random") else f"weights {weights}",
    ]
    return ", ".join(words)


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{write_percent(share, digits)} %"


def _percent_ci(share: float | None, interval: Sequence[float] | None) -> str:
    if share is None or interval is None:
        return _percent(share)
    low, high = interval
    return f"{_percent(share)} [{write_percent(low)}, {write_percent(high)}]"


def _number_ci(number: float, interval: Sequence[float] | None) -> str:
    return f"{number:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


class _Page:
    """The width and encoding of the output, and the parts of a report laid out for them."""

    def __init__(self, *, width: int, encoding: str) -> None:
        self.width = width
        self.encoding = encoding
        self.unicode = self.clean("·→±") == "·→±"
        self.zero, self.arrow, self.plus_minus = "·→±" if self.unicode else (".", "->", "+-")

    def clean(self, text: str) -> str:
        """Return text in which everything can be printed, on one line."""
        return printable(text).encode(self.encoding, "backslashreplace").decode(self.encoding)

    def name(self, text: str, cells: int = MAX_NAME) -> str:
        """Return a class name in at most so many cells, its middle left out if need be."""
        shown = self.clean(text)
        if cell_len(shown) <= cells:
            return shown
        gap = "…" if self.unicode else ".."
        tail = max(0, (cells - len(gap)) // 3)
        head = set_cell_size(shown, cells - len(gap) - tail).rstrip()
        return head + gap + (shown[-tail:] if tail else "")

    def headline(self, report: Report) -> Text:
        parts = (report.dataset, report.model, report.clf)
        return Text(f" {self.zero} ".join(self.clean(part) for part in parts), style="bold")

    def section(self, title: str, body: RenderableType, remark: str = "") -> list[RenderableType]:
        head = Text.assemble((title, "bold"), (f"  {remark}" if remark else "", "dim"))
        return [Text(), head, self.indent(body)]

    def indent(self, body: RenderableType) -> Padding:
        return Padding(body, (0, 0, 0, INDENT), expand=False)

    def table(self, *columns: str) -> Table:
        """Return an empty table whose first column is text and whose others are numbers."""
        table = Table(
            box=box.SIMPLE_HEAD if self.unicode else None,
            show_edge=False,
            pad_edge=False,
            # Two blanks between columns: SIMPLE_HEAD draws one of them.
            padding=(0, 1 if self.unicode else GAP, 0, 0),
            header_style="dim",
        )
        for i, column in enumerate(columns):
            table.add_column(
                Text(column),
                justify="right" if i else "left",
                no_wrap=True,
                overflow="ellipsis" if self.unicode else "crop",  # rich's ellipsis is not ASCII
            )
        return table

    def summary(self, report: Report) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for label, value, style in self.summary_rows(report):
            table.add_row(Text(label), Text(self.clean(value), style=style))
        return table

    def summary_rows(self, report: Report) -> list[tuple[str, str, str]]:
        right = sum(row[i] for i, row in enumerate(report.confusion_matrix))
        counted = f"95 % interval; {right:,} of {report.n_test:,} right"
        cis = report.intervals
        rows = [
            (
                "accuracy",
                f"{_percent_ci(report.accuracy, cis['accuracy'])}  {counted}",
                "bold green",
            ),
            (
                "balanced accuracy",
                _percent_ci(report.balanced_accuracy, cis["balanced_accuracy"]),
                "",
            ),
            ("macro F1", _percent_ci(report.macro_f1, cis["macro_f1"]), ""),
        ]
        if report.roc_auc is not None and report.average_precision is not None:
            precision = f"average precision {report.average_precision:.3f}"
            rows.append(("ROC AUC", f"{report.roc_auc:.3f}  {precision}", ""))
        if report.log_loss is not None and report.calibration_error is not None:
            rows += [
                ("log loss", _number_ci(report.log_loss, cis["log_loss"]), ""),
                (
                    "calibration error",
                    _percent_ci(report.calibration_error, cis["calibration_error"]),
                    "",
                ),
            ]
        rows += [self.baseline(report, baseline) for baseline in report.baselines]
        if report.cv is not None:
            rows.append(self.folds(report.cv))
        n_skipped = sum(report.skipped.values())
        unused = f" + {report.n_unused:,} unused" if report.n_unused else ""
        rows += [
            (
                "images",
                f"{report.n_found:,} = {report.n_train:,} training + {report.n_test:,} test"
                f"{unused} + {n_skipped:,} skipped",
                "",
            ),
            ("values", _describe_recipe(report.recipe), ""),
            ("split", report.split, ""),
            ("fit", _describe_fit(report), ""),
        ]
        rows += [
            ("gate", f"{describe_gate(gate)}: not usable", "bold red")
            for gate in report.gates
            if not gate["met"]
        ]
        return rows

    def baseline(self, report: Report, baseline: Mapping[str, Any]) -> tuple[str, str, str]:
        some = f", {baseline['n_test']:,} of them" if baseline["n_test"] < report.n_test else ""
        return "baseline", f"{_percent(baseline['accuracy'])}  {baseline['name']}{some}", ""

    def folds(self, cv: Mapping[str, Any]) -> tuple[str, str, str]:
        spread = f"{_percent(cv['mean'])} {self.plus_minus} {100 * cv['std']:.1f}"
        low, high = cv["accuracy_ci"]
        interval = f"[{write_percent(low)}, {write_percent(high)}]"
        images = f"{cv['n_images']:,} training images"
        return f"{cv['n_folds']}-fold accuracy", f"{spread}  {interval} of {images}", ""

    def matrix(self, report: Report) -> list[RenderableType]:
        n_classes = len(report.class_names)
        if n_classes > MAX_MATRIX_CLASSES:
            return self.no_matrix(f"{n_classes:,} classes")
        names = [self.name(name) for name in report.class_names]
        heads, cells = names, self.cells_beside(names)
        if max(map(cell_len, heads)) > cells:
            heads = [str(i + 1) for i in range(n_classes)]
            names = [f"{head} {name}" for head, name in zip(heads, names, strict=True)]
            cells = self.cells_beside(names)
        counts = [f"{n:,}" for row in report.confusion_matrix for n in row]
        if max(map(cell_len, (*heads, *counts))) > cells:
            return self.no_matrix(f"{n_classes} classes in {self.width} columns")
        table = self.table("", *heads, RECALL)
        for i, row in enumerate(report.confusion_matrix):
            recall = _percent(report.per_class[i]["recall"]).removesuffix(" %")
            marked = (self.count(n, diagonal=i == j) for j, n in enumerate(row))
            table.add_row(Text(names[i]), *marked, recall)
        return self.section("Confusion matrix", table, "rows: true, columns: predicted")

    def no_matrix(self, what: str) -> list[RenderableType]:
        why = f"not shown: {what} would not be readable; the worst pairs are below"
        return self.section("Confusion matrix", Text(), why)[:-1]

    def cells_beside(self, names: Sequence[str]) -> int:
        """Return the width that a matrix's columns can have beside its row names and recall."""
        room = self.width - INDENT - max(map(cell_len, names)) - GAP - len(RECALL)
        return room // len(names) - GAP

    def count(self, n: int, *, diagonal: bool) -> Text:
        if n == 0:
            return Text(self.zero, style="dim")
        return Text(f"{n:,}", style="bold green" if diagonal else "red")

    def classes(self, report: Report) -> list[RenderableType]:
        shown, title, remark = list(report.per_class), "Classes", ""
        hidden = len(shown) - MAX_CLASS_ROWS
        if len(shown) > MAX_MATRIX_CLASSES:
            tested = [scores for scores in shown if scores["recall"] is not None]
            shown = sorted(tested, key=lambda scores: scores["f1"])[:MAX_CLASS_ROWS]
            hidden = len(report.per_class) - len(shown)
            title, remark = f"Worst {len(shown)} classes", f"by F1; {hidden:,} more in metrics.json"
        table = self.table("class", "precision", "recall", "F1", "test", "training")
        for scores in shown:
            shares = (self.share(scores, key) for key in ("precision", "recall", "f1"))
            counts = (f"{scores[key]:,}" for key in ("n_test", "n_train"))
            table.add_row(Text(self.name(scores["name"])), *shares, *counts)
        return self.section(title, table, remark)

    def share(self, scores: Mapping[str, Any], key: str) -> str:
        """Return a class's precision, recall or F1, with its interval where there is room."""
        interval = scores.get(f"{key}_ci") if self.width >= WIDE else None
        return _percent_ci(scores[key], interval)

    def pairs(self, report: Report) -> list[RenderableType]:
        if not report.confused_pairs:
            return []
        support = {scores["name"]: scores["n_test"] for scores in report.per_class}
        table = self.table("true", "", "of its test images")
        table.columns[0].header = Text(f"true {self.arrow} predicted")
        table.columns[1].header = Text("count")
        for pair in report.confused_pairs[:MAX_PAIRS]:
            label = f"{self.name(pair['true'])} {self.arrow} {self.name(pair['predicted'])}"
            share = _percent(pair["count"] / support[pair["true"]])
            table.add_row(Text(label), f"{pair['count']:,}", share)
        return self.section("Most confused", table)

    def mistakes(self, report: Report) -> list[RenderableType]:
        if not report.mistakes:
            return []
        head = (f"true {self.arrow} predicted", report.score_kind, "path")
        table = self.table(*head)
        table.columns[2].justify = "left"
        rows = [self.mistake(report, mistake) for mistake in report.mistakes[:MAX_MISTAKES]]
        for pair, score, path in rows:
            table.add_row(Text(pair), score, Text(path))
        body: RenderableType = table
        widths = [max(map(cell_len, column)) for column in zip(head, *rows, strict=True)]
        if INDENT + sum(widths) + GAP * (len(widths) - 1) > self.width:
            # A path that is cut off is of no use: each on a line of its own, to be copied.
            lines = [f"{pair}  {score}\n  {path}" for pair, score, path in rows]
            body = Text("\n".join(lines), overflow="fold", no_wrap=False)
        where = f"paths count from {self.clean(report.root)}" if report.root else ""
        return self.section("Most confident mistakes", body, where)

    def mistake(self, report: Report, mistake: Mapping[str, Any]) -> tuple[str, str, str]:
        pair = f"{self.name(mistake['true'])} {self.arrow} {self.name(mistake['predicted'])}"
        score = mistake["score"]
        shown = _percent(score) if report.score_kind == "probability" else f"{score:.2f}"
        return pair, shown, self.clean(mistake["path"])

    def twins(self, report: Report) -> list[RenderableType]:
        found = report.twins
        if found is None or not found["n_exact"] + found["n_near"]:
            return []
        n_twins = found["n_exact"] + found["n_near"]
        lines = [
            f"{n_twins:,} of the {report.n_test:,} test images have a twin in training: "
            f"{found['n_exact']:,} exact, {found['n_near']:,} with a cosine of at least "
            f"{found['threshold']:g}."
        ]
        if found["price"] is not None:
            without = _percent_ci(found["accuracy_without"], found["accuracy_without_ci"])
            lines.append(
                f"Leak price: {100 * found['price']:+.2f} points. Accuracy on the other "
                f"{found['n_without']:,}: {without}."
            )
        lines += [
            f"{pair['cosine']:.2f}  {self.clean(pair['test'])}  ~  {self.clean(pair['train'])}"
            f"{'' if pair['same_label'] else '  other label'}"
            for pair in found["pairs"][:MAX_TWINS]
        ]
        body = Text("\n".join(lines), overflow="fold", no_wrap=False)
        return self.section("Twins", body, "the same picture on both sides of the split")

    def label_errors(self, report: Report) -> list[RenderableType]:
        if not report.label_errors:
            return []
        lines = [
            f"{self.name(each['label'])} {self.arrow} {self.name(each['suggested'])}"
            f"  {self.clean(each['path'])}"
            for each in report.label_errors[:MAX_SUSPECTS]
        ]
        hidden = (report.n_label_errors or 0) - len(lines)
        more = f"; {hidden:,} more" if hidden > 0 else ""
        return self.section(
            "Suspect labels",
            Text("\n".join(lines), overflow="fold", no_wrap=False),
            f"training images that look like another class to classifiers not fitted on them{more}",
        )

    def tuning(self, report: Report) -> list[RenderableType]:
        found = report.tuning
        if found is None:
            return []
        table = self.table(found["parameter"], found["scoring"], "")
        table.columns[2].justify = "left"
        worst, best = min(found["means"]), max(found["means"])
        for value, mean, std in zip(found["values"], found["means"], found["stds"], strict=True):
            chosen = value == found["best"]
            share = (mean - worst) / (best - worst) if best > worst else 1.0
            bar = ("\u2588" if self.unicode else "#") * (1 + round(share * (BAR - 1)))
            table.add_row(
                Text(f"{value:g}", style="bold" if chosen else ""),
                f"{_percent(mean)} {self.plus_minus} {100 * std:.1f}",
                Text.assemble((bar, "green" if chosen else "dim"), "  taken" if chosen else ""),
            )
        images = f"{found['n_rows']:,} training images"
        folds = (
            f"{found['n_folds']} folds of {images}"
            if found["n_folds"] > 1
            else f"a part of {images} held out"
        )
        beyond = ", grid extended" if found["extended"] else ""
        return self.section("Tuning", table, f"{folds}{beyond}")

    def learning_curve(self, report: Report) -> list[RenderableType]:
        curve = report.learning_curve
        if curve is None:
            return []
        table = self.table("training images", "accuracy", "")
        table.columns[2].justify = "left"
        stds = curve["std"] or [0.0] * len(curve["sizes"])
        for size, mean, std in zip(curve["sizes"], curve["accuracy"], stds, strict=True):
            table.add_row(f"{size:,}", f"{_percent(mean)} {self.plus_minus} {100 * std:.1f}", "")
        for each in curve["forecast"]:
            expected = _percent_ci(each["accuracy"], (each["low"], each["high"]))
            table.add_row(f"{each['n']:,}", expected, Text("forecast", style="dim"))
        return self.section("Learning curve", table, f"{curve['n_folds']} folds, power law")

    def counts(self, title: str, counted: Mapping[str, int]) -> list[RenderableType]:
        if not counted:
            return []
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right")
        table.add_column()
        for what, count in sorted(counted.items(), key=lambda item: -item[1]):
            table.add_row(f"{count:,}", Text(self.clean(what)))
        return self.section(title, table)

    def notes(self, report: Report) -> list[RenderableType]:
        return self.section("Notes", self.bullets(report.notes)) if report.notes else []

    def verdict(self, sentences: Sequence[str]) -> list[RenderableType]:
        if not sentences:
            return []
        return self.section("In short", Text(self.clean(" ".join(sentences)), no_wrap=False))

    def bullets(self, sentences: Sequence[str]) -> Table:
        table = Table.grid(padding=(0, 1))
        for sentence in sentences:
            table.add_row(Text("-"), Text(self.clean(sentence), style="yellow"))
        return table


def _list_unusual(report: Report) -> dict[str, int]:
    """Return what some images are but not all: that all digits are grey is nothing unusual."""
    n_images = report.n_train + report.n_test
    return {what: n for what, n in report.oddities.items() if n < n_images}


def _describe_fit(report: Report) -> str:
    settings = report.settings
    words = [f"{report.fit_seconds:.1f} s"]
    if report.tuning is not None:
        words = [f"tuned in {report.tune_seconds:.1f} s", f"fitted in {words[0]}"]
    words += [
        f"{name} = {value:g}"
        for name, value in settings["used"].items()
        if isinstance(value, int | float)
    ]
    if settings.get("class_weight"):
        words.append(f"class weight {settings['class_weight']}")
    return ", ".join(words)

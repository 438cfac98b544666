"""Pages about fits that never were: classes in a plane, drawn shapes as pictures, real metrics."""

import colorsys
import io
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from pipeline import metrics
from pipeline.records import (
    AnsweredRows,
    Explanation,
    PageContent,
    ScatterMap,
    StaticFigure,
)
from pipeline.showing.verdict import judge_fit
from tests.made_reports import make_report

NAMES = (
    *("aeroplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    *("apple", "bee", "castle", "chair", "crab", "dolphin", "fern", "kite", "lamp", "leaf"),
)
N_MISTAKES, N_CERTAIN, N_SUSPECTS, N_PAIRS = 12, 12, 8, 6
SIDE = 48


def make_page(n_classes=3, *, n_test=60, n_pictures=None, seed=0, names=None, **changes):
    """A page of so many classes; the rows lie around their class's place in a plane.

    Parameters
    ----------
    n_classes, n_test : int
    n_pictures : int, optional
        Thumbnails; of every row if not said.
    seed : int
    names : sequence of str, optional
        Of the classes.
    **changes
        Fields of the `Report`.
    """
    rng = np.random.default_rng(seed)
    names = tuple(names or make_names(n_classes))
    y_true = np.arange(n_test) * n_classes // n_test
    places = _spread(n_classes, rng)
    points = places[y_true] + rng.normal(0, 0.62 if n_classes > 2 else 0.9, (n_test, 2))
    scores = _score(points, places)
    y_pred = scores.argmax(axis=1)
    rows = AnsweredRows(
        paths=tuple(f"{names[k]}/{row:05}.jpg" for row, k in enumerate(y_true)),
        y_true=y_true,
        y_pred=y_pred,
        scores=scores,
    )
    report = _make_report(rows, names, changes)
    draw = _Artist(n_classes)
    shown = rng.permutation(n_test)[: n_test if n_pictures is None else n_pictures]
    return PageContent(
        report=report,
        rows=rows,
        verdict=judge_fit(report),
        thumbnails={int(row): draw(int(y_true[row]), int(row)) for row in sorted(shown)},
        pictures=_draw_pictures(report, rows, draw),
        explanations={
            mistake["path"]: Explanation(
                picture=draw(names.index(mistake["true"]), 7, side=160, tint=True), margin=1.25
            )
            for mistake in report.mistakes[:6]
        },
        least_certain=_find_least_certain(rows),
        maps=_make_maps(points, rng),
        figures=_make_figures(),
        samples={k: _sample_paths(names[k]) for k in range(n_classes)} if n_classes <= 20 else {},
        image_sizes=((120, 90), (500, 375), (1024, 768)),
        skipped=(("cat/broken.jpg", "corrupt"), ("dog/empty.jpg", "zero bytes")),
        provenance=(("recipe", "ab" * 32), ("scikit-learn", "1.9.0"), ("fitted", "2026-11-26")),
        commands=(
            "extract --model fake --dataset pets",
            "fit --clf logreg --seed 42",
        ),
        notes=("Thumbnails are 48 px wide.",),
    )


def make_names(n_classes):
    """So many different names."""
    if n_classes <= len(NAMES):
        return NAMES[:n_classes] if n_classes != 2 else ("cat", "dog")
    kinds = ("common", "grey", "lesser", "northern", "painted", "red", "spotted", "white")
    return tuple(
        f"{kinds[k // len(NAMES) % len(kinds)]} {NAMES[k % len(NAMES)]}"
        + (f" {k // (len(NAMES) * len(kinds)) + 1}" if n_classes > 160 else "")
        for k in range(n_classes)
    )


def make_hostile_page():
    """A page of which every text that users choose tries to be something else."""
    evil = (
        "</script><script>window.hacked=1</script>",
        '" onerror="window.hacked=2" x="',
        "<img src=x onerror=window.hacked=3>",
        "{{7*7}}",
        "javascript:window.hacked=4",
        "back\udcffbone\nline\x1b[31m\u2028\u202e",
        "$$\\frac{1}{2}$$ <!--",
    )
    content = make_page(len(evil), n_test=70, names=evil)
    report = replace(
        content.report,
        dataset=evil[0],
        model=evil[2],
        split=evil[1],
        notes=evil,
        skipped={evil[0]: 2, "a.b%": 1},
        oddities={evil[2]: 3},
    )
    return replace(
        content,
        report=report,
        skipped=tuple((text, text) for text in evil),
        provenance=tuple((text, text) for text in evil),
        commands=evil,
        notes=evil,
        maps=tuple(
            replace(drawn, method=evil[2], note=evil[0], axes=(evil[2], evil[6]))
            for drawn in content.maps
        ),
        figures={k: replace(drawn, alt=evil[1]) for k, drawn in content.figures.items()},
    )


class _Artist:
    """Draws a shape that tells the class, in WebP."""

    def __init__(self, n_classes):
        self.n_classes = n_classes

    def __call__(self, label, seed, *, side=SIDE, tint=False):
        rng = np.random.default_rng(seed)
        hue = (label * 0.381966) % 1
        ground = _colour(hue + 0.5 + rng.uniform(-0.06, 0.06), 0.25, rng.uniform(0.6, 0.95))
        image = Image.new("RGB", (2 * side, 2 * side), ground)
        pen = ImageDraw.Draw(image)
        middle = side + rng.uniform(-0.25, 0.25, 2) * side
        radius = side * rng.uniform(0.45, 0.75)
        box = [*(middle - radius), *(middle + radius)]
        ink = _colour(hue, 0.75, rng.uniform(0.5, 0.85))
        if label % 4 == 0:
            pen.ellipse(box, fill=ink)
        elif label % 4 == 1:
            pen.rectangle(box, fill=ink)
        else:
            sides = 3 if label % 4 == 2 else 5
            pen.regular_polygon((*middle, radius), sides, rotation=rng.uniform(0, 90), fill=ink)
        if tint:
            pen.ellipse([side * 0.9, side * 0.5, side * 1.9, side * 1.5], fill=(236, 151, 72))
            pen.ellipse([side * 0.1, side * 1.0, side * 0.8, side * 1.8], fill=(60, 130, 220))
        stream = io.BytesIO()
        image.resize((side, side), Image.Resampling.BOX).save(stream, "WEBP", quality=60)
        return stream.getvalue()


def _colour(hue, saturation, value):
    return tuple(int(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _spread(n_classes, rng):
    """Places of classes on a sunflower's head, about 2 apart."""
    k = np.arange(n_classes) + 0.5
    radius, angle = 1.45 * np.sqrt(k), k * 2.399963
    places = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return places + rng.normal(0, 0.15, places.shape)


def _score(points, places):
    distance = ((points[:, None] - places[None]) ** 2).sum(axis=-1)
    raised = np.exp(-1.3 * (distance - distance.min(axis=1, keepdims=True)))
    return raised / raised.sum(axis=1, keepdims=True)


def _none(value):
    return None if np.isnan(value) else float(value)


def _make_report(rows, names, changes):
    n, n_classes = len(rows), len(names)
    matrix = metrics.confusion_matrix(rows.y_true, rows.y_pred, n_classes=n_classes)
    scores, ranks = metrics.class_scores(matrix), metrics.rank_classes(rows.y_true, rows.scores)
    found = np.diag(matrix)
    sums = {"recall": matrix.sum(axis=1), "precision": matrix.sum(axis=0)}

    def interval(right, total):
        return list(map(float, metrics.wilson_interval(int(right), int(total)))) if total else None

    per_class = tuple(
        {
            "name": name,
            **{key: _none(getattr(scores, key)[k]) for key in ("precision", "recall", "f1")},
            **{f"{key}_ci": interval(found[k], each[k]) for key, each in sums.items()},
            "roc_auc": _none(ranks.roc_auc[k]),
            "average_precision": _none(ranks.average_precision[k]),
            "n_test": int(sums["recall"][k]),
            "n_train": int(4 * sums["recall"][k] + 3 * (k % 5)),
        }
        for k, name in enumerate(names)
    )
    whole = interval(found.sum(), n)
    wrong = metrics.confident_mistakes(rows.y_true, rows.scores, limit=N_MISTAKES)
    n_train = sum(each["n_train"] for each in per_class)
    fields = {
        "dataset": "pets" if n_classes == 2 else f"shapes-{n_classes}",
        "model": "efficientnet-lite0",
        "class_names": names,
        "n_found": n + n_train + 2,
        "n_train": n_train,
        "n_test": n,
        "skipped": {"corrupt": 1, "zero bytes": 1},
        "oddities": {"grey": 14, "wrong extension": 2},
        "confusion_matrix": tuple(map(tuple, matrix.tolist())),
        "accuracy": metrics.accuracy(matrix),
        "balanced_accuracy": metrics.balanced_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix),
        "log_loss": metrics.log_loss(rows.y_true, rows.scores),
        "calibration_error": metrics.calibration_error(rows.y_true, rows.scores),
        "calibration": tuple(
            {key: getattr(each, key) for key in ("low", "high", "n", "confidence", "accuracy")}
            for each in metrics.calibration_bins(rows.y_true, rows.scores)
        ),
        "roc_auc": float(np.nanmean(ranks.roc_auc)),
        "average_precision": float(np.nanmean(ranks.average_precision)),
        "intervals": {
            "accuracy": whole,
            "balanced_accuracy": whole,
            "macro_f1": whole,
            "log_loss": [0.1234, 0.3456],
            "calibration_error": [0.0123, 0.0456],
        },
        "baselines": tuple(
            {
                "name": name,
                "accuracy": share,
                "accuracy_ci": interval(share * n, n),
                "n_train": n_train,
                "n_test": n,
            }
            for name, share in (
                ("most frequent class", 1 / n_classes),
                ("10 nearest neighbours", 0.97 * metrics.accuracy(matrix)),
                ("colour histogram", 0.5 / np.sqrt(n_classes) + 0.1),
            )
        ),
        "twins": {
            "threshold": 0.8,
            "n_exact": 1,
            "n_near": 5,
            "n_without": n - 6,
            "accuracy_without": float((found.sum() - 6) / (n - 6)),
            "accuracy_without_ci": whole,
            "price": 0.00123,
            "pairs": [
                {
                    "test": rows.paths[row],
                    "train": f"train/{row:05}.jpg",
                    "cosine": 1.0 if row == 0 else 0.95 - row / 100,
                    "exact": row == 0,
                    "same_label": row != 2,
                }
                for row in range(N_PAIRS)
            ],
        },
        "per_class": per_class,
        "confused_pairs": tuple(
            {"true": names[i], "predicted": names[j], "count": count}
            for i, j, count in metrics.confused_pairs(matrix, limit=30)
        ),
        "mistakes": tuple(
            {
                "path": rows.paths[row],
                "true": names[rows.y_true[row]],
                "predicted": names[rows.y_pred[row]],
                "score": float(rows.scores[row, rows.y_pred[row]]),
            }
            for row in wrong
        ),
        "tuning": {
            "parameter": "C",
            "scoring": "accuracy",
            "n_folds": 5,
            "n_rows": n_train,
            "values": [0.0001, 0.001, 0.01, 0.1],
            "means": [0.80, 0.893, 0.912, 0.889],
            "stds": [0.02, 0.0123, 0.01, 0.02],
            "best": 0.01,
            "extended": True,
        },
        "label_errors": tuple(
            {
                "path": f"train/suspect-{k}.jpg",
                "label": names[k % n_classes],
                "suggested": names[(k + 1) % n_classes],
                "score": 0.99 - k / 50,
            }
            for k in range(N_SUSPECTS)
        ),
        "n_label_errors": 17,
        "learning_curve": {
            "sizes": [1000, 2000, 4000, 8000],
            "accuracy": [0.904, 0.9225, 0.9335, 0.94],
            "std": [0.02, 0.015, 0.01, 0.008],
            "n_folds": 5,
            "law": {"a": 0.05, "b": 7.44, "c": 0.737},
            "forecast": [{"n": 16000, "accuracy": 0.944, "low": 0.935, "high": 0.952}],
        },
        "loss_curve": {
            "loss": [float(each) for each in 2.1 * 0.8 ** np.arange(12) + 0.1],
            "validation_accuracy": [float(each) for each in 0.9 - 0.5 * 0.7 ** np.arange(12)],
            "best_epoch": 11,
        },
        "gates": (
            {"name": "accuracy", "least": 0.5, "found": metrics.accuracy(matrix), "met": True},
        ),
        "notes": ("The classes are drawn shapes.",),
    }
    return make_report(**{**fields, **changes})


def _draw_pictures(report, rows, draw):
    """Larger pictures of all that galleries show."""
    labels = {name: k for k, name in enumerate(report.class_names)}
    paths = {mistake["path"]: labels[mistake["true"]] for mistake in report.mistakes}
    paths |= {rows.paths[row]: int(rows.y_true[row]) for row in _find_least_certain(rows)}
    paths |= {suspect["path"]: labels[suspect["suggested"]] for suspect in report.label_errors[:5]}
    for pair in report.twins["pairs"][:4]:
        label = labels[pair["test"].rsplit("/", 1)[0]]
        paths |= {pair["test"]: label, pair["train"]: label}
    if len(labels) <= 20:
        paths |= {path: k for name, k in labels.items() for path in _sample_paths(name)}
    return {path: draw(label, seed, side=160) for seed, (path, label) in enumerate(paths.items())}


def _sample_paths(name):
    return tuple(f"train/{name}/{k}.jpg" for k in range(5))


def _find_least_certain(rows):
    best = rows.scores.max(axis=1)
    right = np.flatnonzero(rows.y_true == rows.y_pred)
    return tuple(int(row) for row in right[np.argsort(best[right])[:N_CERTAIN]])


def _make_maps(points, rng):
    every = np.arange(len(points))
    turned = points @ np.array([[0.6, -0.8], [0.8, 0.6]]) + rng.normal(0, 0.1, points.shape)
    return (
        ScatterMap(
            method="PCA",
            rows=every,
            points=points.astype(np.float32),
            axes=("first component, 31 % of the variance", "second component, 17 %"),
            note="The first two principal components of all test images.",
        ),
        ScatterMap(
            method="t-SNE",
            rows=every[::2],
            points=turned[::2].astype(np.float32),
            note="Every second test image; distances between far groups mean little.",
        ),
    )


def _make_figures():
    svg = (
        '<svg viewBox="0 0 100 60" xmlns="http://www.w3.org/2000/svg"><path d="M5 55 L50 20 L95 5" '
        'fill="none" stroke="currentColor"/><text x="10" y="15" font-size="7" '
        'fill="currentColor">drawn</text></svg>'
    )
    names = ("calibration", "roc", "precision_recall", "tuning", "loss", "learning_curve")
    return {name: StaticFigure(svg=svg, alt=f"Drawing of {name}.") for name in names}

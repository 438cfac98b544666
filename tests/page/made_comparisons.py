"""Comparisons of fits that never were, for pages about them."""

from dataclasses import replace

from pipeline.records import ClassAcrossFits, ComparisonContent, Disagreement, StaticFigure
from tests.page.made_pages import make_page

CLFS = ("svm", "logreg", "knn")


def make_comparison(n_classes=10, **changes):
    """Three fits, of which the second is the cheapest that is as good as the first."""
    names = tuple(f"class {k}" for k in range(n_classes))
    pictures = list(make_page(3, n_test=12).thumbnails.values())
    disagreements = tuple(
        Disagreement(
            path=f"class {k}/{k:03}.jpg",
            true=names[k % n_classes],
            answers=(names[(k + 1) % n_classes], names[k % n_classes], names[0]),
        )
        for k in range(12)
    )
    content = ComparisonContent(
        dataset="pets",
        root="/photos",
        n_common=400,
        fits=tuple(_make_fit(k, clf) for k, clf in enumerate(CLFS)),
        names=CLFS,
        classes=tuple(
            ClassAcrossFits(name=name, n_test=40, recalls=(0.95, 0.925 - k / 10_000, 0.8))
            for k, name in enumerate(names)
        ),
        disagreements=disagreements,
        n_disagreements=31,
        pictures={
            each.path: picture for each, picture in zip(disagreements, pictures, strict=False)
        },
        pareto=StaticFigure(svg='<svg viewBox="0 0 9 9"></svg>', alt="Accuracy against time."),
        notes=("The fits have different test images.",),
    )
    return replace(content, **changes)


def _make_fit(k, clf):
    accuracy = 0.95 - k / 40
    gap = {
        "difference": accuracy - 0.95,
        "interval": [-0.05 * k, 0.01],
        "n_only_this": 3,
        "n_only_best": 9,
        "p_value": 0.125,
    }
    return {
        "clf": clf,
        "model": "vgg16",
        "dataset": "pets",
        "used": {"C": 0.1},
        "folder": f"cache/pets/vgg16-01234567.fits/{clf}-89abcdef",
        "n_test": 400,
        "accuracy": accuracy,
        "accuracy_ci": [accuracy - 0.03, accuracy + 0.02],
        "balanced_accuracy": accuracy - 0.001,
        "macro_f1": accuracy - 0.002,
        "ms_per_image": None if clf == "knn" else 5.25 - k,
        "megabytes": 12.5,
        "n_features": 512,
        "tune_seconds": 4.25,
        "fit_seconds": 0.5,
        "gap": gap if k else None,
        "best": k == 0,
        "cheapest": k == 1,
    }


def make_hostile_comparison():
    """One of which every text that users choose tries to be something else."""
    evil = (
        "</script><script>window.hacked=1</script>",
        "<img src=x onerror=window.hacked=2>",
        "\udcff",
    )
    content = make_comparison()
    first, *others = content.disagreements
    return replace(
        content,
        dataset=evil[0],
        names=evil,
        notes=evil,
        classes=tuple(replace(each, name=evil[1]) for each in content.classes),
        disagreements=(replace(first, path=evil[0], true=evil[1], answers=evil), *others),
    )

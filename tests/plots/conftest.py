import numpy as np
import pytest

from pipeline import plots
from tests.plots.drawn import NAMES


@pytest.fixture
def hostile_figures():
    """A figure of each kind, with names that are anything but names."""
    rng = np.random.default_rng(0)
    n = len(NAMES)
    grid = np.linspace(0, 1, 30)
    y = np.repeat(np.arange(n), 5)
    image = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    scores = {"recall": 0.5, "recall_ci": [0.3, 0.7], "precision": 0.4, "precision_ci": [0.2, 0.6]}
    return {
        "confusion": plots.draw_confusion(np.eye(n, dtype=int) * 4 + 1, NAMES),
        "roc": plots.draw_roc([(name, grid, grid**0.2, 0.83) for name in NAMES]),
        "precision_recall": plots.draw_precision_recall(
            [(name, grid, 1 - grid / 2, 0.75) for name in NAMES]
        ),
        "per_class": plots.draw_per_class([{"name": name, "f1": 0.4, **scores} for name in NAMES]),
        "map": plots.draw_map(
            np.eye(n)[y][:, :2] + rng.random((len(y), 2)), y, y == 3, NAMES, title="\n".join(NAMES)
        ),
        "errors": plots.draw_errors([image] * n, NAMES),
        "images": plots.draw_image_grid([image] * n, NAMES),
        "values": plots.draw_values(image, rng.random(12), NAMES[0]),
        "pareto": plots.draw_pareto(
            [(name, 2.0**i, 0.8, 0.7, 0.9, i < 3) for i, name in enumerate(NAMES)]
        ),
    }

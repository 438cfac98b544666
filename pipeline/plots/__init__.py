"""Figures for papers and pages: arrays in, Matplotlib figures out. The only owner of Matplotlib.

Nothing here knows of pyplot, of a screen or of a user's matplotlibrc. Names are shown as they are,
never read as formulas.
"""

from matplotlib.figure import Figure

from pipeline.plots.bars import draw_per_class
from pipeline.plots.fit_curves import (
    draw_calibration,
    draw_learning_curve,
    draw_loss,
    draw_tuning,
)
from pipeline.plots.matrices import draw_confusion
from pipeline.plots.output import to_inline_svg, to_png, to_svg
from pipeline.plots.pictures import draw_answers, draw_errors, draw_image_grid, draw_values
from pipeline.plots.ranking_curves import draw_precision_recall, draw_roc
from pipeline.plots.scatter import draw_map, draw_pareto
from pipeline.plots.training_curves import draw_training

__all__ = [
    "Figure",
    "draw_answers",
    "draw_calibration",
    "draw_confusion",
    "draw_errors",
    "draw_image_grid",
    "draw_learning_curve",
    "draw_loss",
    "draw_map",
    "draw_pareto",
    "draw_per_class",
    "draw_precision_recall",
    "draw_roc",
    "draw_training",
    "draw_tuning",
    "draw_values",
    "to_inline_svg",
    "to_png",
    "to_svg",
]

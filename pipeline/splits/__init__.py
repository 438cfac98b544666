"""Which rows train and which test: a given split is kept, otherwise one is drawn.

Rows that show the same image, bit for bit, or that belong to the same group of the data set
(patient, scene, camera) are one *unit*. A drawn split never divides a unit: a twin in the training
rows makes its test row worthless as evidence.
"""

from pipeline.splits.choosing import split_rows
from pipeline.splits.folds import describe_folds, draw_folds
from pipeline.splits.groups import assign_groups, match_groups
from pipeline.splits.partition import Partition, Rows
from pipeline.splits.units import find_units

__all__ = [
    "Partition",
    "Rows",
    "assign_groups",
    "describe_folds",
    "draw_folds",
    "find_units",
    "match_groups",
    "split_rows",
]

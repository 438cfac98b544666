"""Transfer values as points in a plane, to be looked at: PCA, t-SNE and UMAP.

t-SNE is scikit-learn's. openTSNE makes as good a map in two thirds of the processor time, but
hardly sooner on two cores, and another one on another number of threads; see
`benchmarks/README.md`. UMAP is there if umap-learn is installed.
"""

from pipeline.projection.projecting import (
    METHODS,
    NAMES,
    Projection,
    is_available,
    method_versions,
    name_axes,
    project,
)

__all__ = [
    "METHODS",
    "NAMES",
    "Projection",
    "is_available",
    "method_versions",
    "name_axes",
    "project",
]

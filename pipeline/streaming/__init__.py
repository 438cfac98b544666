"""Fitting on transfer values that do not fit into memory: block by block, in several passes.

The linear classifiers end at the optimum that the same classifier has in memory: they descend by
the gradient over all training rows, of which a pass adds up the blocks' parts, so it does not
matter that folders come class by class. What stochastic descent over such blocks costs is measured
in `pipeline.streaming.network`, the one that is trained in small steps, on mixed blocks.
"""

from pipeline.streaming.fitting import STREAMED, StreamedFit, fit_stream
from pipeline.streaming.passes import Blocks
from pipeline.streaming.scoring import needs_streaming, score_stream

__all__ = [
    "STREAMED",
    "Blocks",
    "StreamedFit",
    "fit_stream",
    "needs_streaming",
    "score_stream",
]

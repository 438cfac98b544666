"""Which of several fits is the best, which are as good, and which of these costs least."""

from pipeline.ranking.answers import CommonRows
from pipeline.ranking.costs import Cost, measure_cost, say_machines, store_of
from pipeline.ranking.peers import find_peers
from pipeline.ranking.standing import Gap, Standing
from pipeline.ranking.verdict import Verdict, judge

__all__ = [
    "CommonRows",
    "Cost",
    "Gap",
    "Standing",
    "Verdict",
    "find_peers",
    "judge",
    "measure_cost",
    "say_machines",
    "store_of",
]

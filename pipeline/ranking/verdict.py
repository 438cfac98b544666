"""From fits on disk to the best of them and the cheapest that is as good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ranking.answers import CommonRows, find_common_rows, read_answers
from pipeline.ranking.costs import Cost
from pipeline.ranking.standing import Standing, rank
from pipeline.records import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """What the common test rows say of several fits, in the order in which these were named.

    Attributes
    ----------
    rows : CommonRows
    standing : Standing
    """

    rows: CommonRows
    standing: Standing


def judge(
    folders: Sequence[Path], reports: Sequence[Report], costs: Sequence[Cost], *, random_state: int
) -> Verdict:
    """Compare fits with the best of them, on the test rows that all have in common.

    Parameters
    ----------
    folders : sequence of Path
        One or more.
    reports : sequence of Report
    costs : sequence of Cost
    random_state : int
        Of the bootstrap draws.

    Raises
    ------
    ArtifactTamperedError
        If a fit's predictions are not what was written.
    ClassifierError
        If they cannot be read, or the fits have no test rows in common that they agree on.
    """
    pairs = zip(folders, reports, strict=True)
    rows = find_common_rows([read_answers(folder, report) for folder, report in pairs])
    return Verdict(rows=rows, standing=rank(rows.correct, costs, random_state=random_state))

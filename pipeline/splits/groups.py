"""Groups from outside the store: put into a table, or read from the paths of its images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from pipeline.errors import ConfigError
from pipeline.records import SampleTable

Table = TypeVar("Table", bound=SampleTable)


def assign_groups(table: Table, groups: Sequence[str]) -> Table:
    """Return a table with other groups.

    Parameters
    ----------
    table : SampleTable or FeatureTable
    groups : sequence of str
        Name of each row's group, "" for none.

    Raises
    ------
    ConfigError
        If all rows are in one group.
    """
    names = tuple(sorted(set(groups) - {""}))
    number = {"": -1} | {name: i for i, name in enumerate(names)}
    group = np.array([number[name] for name in groups], np.int32)
    if len(names) == 1 and (group == 0).all():
        raise ConfigError(
            f"--group-by puts all {len(groups):,} images into one group, {names[0]!r}: none could "
            "be tested. Expected at least 2 groups. Name another column, or an expression that "
            f"tells {_examples(table.paths)} apart."
        )
    return replace(table, group=group, group_names=names)


def match_groups(paths: Sequence[str], pattern: str) -> list[str]:
    """Return the name of each path's group: what the pattern's parentheses find in it.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths.
    pattern : str
        A regular expression, searched for anywhere in the path. What its first group captures is
        the name, several joined with "/", or the whole match where it has none.

    Returns
    -------
    list of str
        "" where the pattern does not match.

    Raises
    ------
    ConfigError
        If the pattern is no regular expression, or matches no path.

    References
    ----------
    https://docs.python.org/3/library/re.html#regular-expression-syntax
    """
    try:
        expression = re.compile(pattern)
    except re.error as exc:
        raise ConfigError(
            f"--group-by {pattern!r} is not a regular expression: {exc}. Expected one that finds "
            r"the group's name in a path, such as '(patient\d+)_'. Paths here are "
            f"{_examples(paths)}."
        ) from exc
    names = [_name_of(expression.search(path)) for path in paths]
    if not any(names):
        raise ConfigError(
            f"--group-by {pattern!r} matches none of the {len(paths):,} paths. It is a regular "
            r"expression that finds the group's name in a path, such as '(patient\d+)_'. Paths "
            f"here are {_examples(paths)}."
        )
    return names


def _name_of(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    return "/".join(filter(None, match.groups())) if match.re.groups else match[0]


def _examples(paths: Sequence[str]) -> str:
    return " and ".join(repr(path) for path in dict.fromkeys((*paths[:1], *paths[-1:])))

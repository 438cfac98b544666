"""Names for folders and files that are made of a user's own names, whatever those hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from pipeline.records import UNKNOWN

MAX_BYTES = 100
"""Of a name; file systems allow 255, and a number is added to some."""

# What some file system or shell forbids; control characters are not printable.
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def name_folders(class_names: Iterable[str], *, taken: Iterable[str] = (UNKNOWN,)) -> list[str]:
    """Return the name of a folder for each class: safe everywhere, and no two alike.

    Not even where upper and lower case are the same.

    Parameters
    ----------
    class_names : iterable of str
    taken : iterable of str
        Names that stand for something else.
    """
    used = {name.casefold() for name in taken}
    found = []
    for class_name in class_names:
        safe = safe_name(class_name)
        name = next(each for each in number_names(safe) if each.casefold() not in used)
        used.add(name.casefold())
        found.append(name)
    return found


def safe_name(name: str) -> str:
    """Return a name under which a file can lie anywhere: no folder, nothing hidden, not too long.

    Letters of all alphabets stay.
    """
    printable = "".join(c if c.isprintable() else "_" for c in name)
    safe = _FORBIDDEN.sub("_", printable).strip(" .")
    safe = safe.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore").strip(" .,")
    if not safe.strip("_"):
        return "class"
    # As device names do on Windows, a hyphen would mean something else to a command.
    return f"_{safe}" if _DEVICES.fullmatch(safe) or safe.startswith("-") else safe


def number_names(name: str) -> Iterator[str]:
    """Yield a name, then the name with 2, 3, … before its extension, without end."""
    yield name
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - of a plain name
    number = 2
    while True:
        yield f"{stem}-{number}{suffix}"
        number += 1


def last_name(path: str) -> str:
    """Return a path's file name."""
    return PurePath(path).name

"""Names that come from a file system: any bytes but NUL, carried as str by surrogate escapes."""

from __future__ import annotations

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def encode_names(names: tuple[str, ...]) -> bytes:
    """Join names into one byte blob, each ended by a NUL, which no file name can contain."""
    return b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in names)


def decode_names(blob: bytes) -> tuple[str, ...]:
    """Split what `encode_names` joined."""
    return tuple(name.decode("utf-8", "surrogateescape") for name in blob.split(b"\0")[:-1])


def csv_path(path: str) -> str:
    """Return a relative path as it is safe in a CSV that a spreadsheet opens.

    A cell that begins with = + - or @ would run as a formula. "./" in front names the same file.
    """
    return f"./{path}" if path.startswith(_FORMULA_STARTS) else path


def csv_name(name: str) -> str:
    """Return a class name as it is safe in a CSV that a spreadsheet opens.

    Signed numbers stay as they are. A name that itself begins with an apostrophe gets another, so
    that taking one away always gives the name.
    """
    formula = name.startswith(_FORMULA_STARTS) and not _is_signed_number(name)
    return f"'{name}" if formula or name.startswith("'") else name


def _is_signed_number(name: str) -> bool:
    return name[0] in "+-" and name[1:].replace(".", "", 1).isdecimal()


def printable(text: str) -> str:
    """Return text as a terminal can show it: a name may hold newlines and escape sequences."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")

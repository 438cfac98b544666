"""What `pipeline export` wrote, and how it was checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """A file's answers beside those of `predict`, on images of the store.

    Attributes
    ----------
    n_images, n_classes : int
        That were compared: images, and the classes they are of.
    n_shrunk : int
        Of them those that `predict` shrinks while it decodes them; the file was given them shrunk.
    largest : float
        Difference of any class's probability (or score).
    largest_in_full : float or None
        The same for those images, given to the file in full; None if there is none of them.
    tolerance : float
    """

    n_images: int
    n_classes: int
    n_shrunk: int
    largest: float
    largest_in_full: float | None
    tolerance: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "n_images": self.n_images,
            "n_classes": self.n_classes,
            "n_shrunk": self.n_shrunk,
            "largest": self.largest,
            "largest_in_full": self.largest_in_full,
            "tolerance": self.tolerance,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelExport:
    """A model file.

    Attributes
    ----------
    format : str
    files : tuple of Path
        The model's, the one to load first.
    card : Path
    fit : Path
    n_bytes : int
        Of the model's files.
    output : str
        "probabilities" or "scores".
    check : SelfCheck or None
        None if it was left out.
    kept : str
        What could not be folded; see `Head.kept`.
    seconds : float
    """

    format: str
    files: tuple[Path, ...]
    card: Path
    fit: Path
    n_bytes: int
    output: str
    check: SelfCheck | None
    kept: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "format": self.format,
            "files": [str(file) for file in self.files],
            "card": str(self.card),
            "fit": str(self.fit),
            "n_bytes": self.n_bytes,
            "output": self.output,
            "check": None if self.check is None else self.check.to_dict(),
            "kept": self.kept,
            "seconds": self.seconds,
        }

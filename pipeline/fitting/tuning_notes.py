"""What is to be said of a fit on the values of a network that was trained on images of its own."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.records import SampleTable, printable
from pipeline.splits import Partition

_USED = ("train", "validation")


def describe_unknown(name: str) -> str:
    """Say that nobody knows which images trained a network.

    Parameters
    ----------
    name : str
        Of the weights file.
    """
    return (
        f"The weights are from a file, {printable(name)}, and which images they were trained on is "
        "not known here (for those that finetune made its folder would have to be in the cache): "
        "if test images were among them, the accuracy flatters."
    )


def describe_tuning(
    table: SampleTable, part: Partition, uses: Mapping[bytes, str]
) -> tuple[str, ...]:
    """Say whether test images trained the network that their values came from.

    Parameters
    ----------
    table : SampleTable
    part : Partition
    uses : mapping of bytes to str
        What each image was used for when the network was trained, by SHA-256: "train",
        "validation", "test" or "unused". Empty if it was not trained here.
    """
    if not uses:
        return ()
    used = [uses.get(table.sha256[row].tobytes()) in _USED for row in part.test]
    n_used, n_test = sum(used), len(used)
    if n_used:
        were = "image was" if n_used == 1 else "images were"
        return (
            f"{n_used:,} of the {n_test:,} test {were} among those that the network was trained "
            "on or its best epoch chosen by: the accuracy flatters. Either --split, --test-size, "
            "--group-by, --shots or --seed differ from those that finetune was given, or the data "
            "set's own test images are copies of its training images.",
        )
    return (
        f"The network was trained on images of this kind; none of the {n_test:,} test images was "
        "among them. The training images were, so whatever was measured on those flatters.",
    )

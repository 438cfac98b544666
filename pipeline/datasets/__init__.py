"""From a name, a folder or a table to a `Manifest`; imports nothing slower than numpy."""

from pipeline.datasets.hash_index import forget_hashes
from pipeline.datasets.resolve import is_present, load_manifest, name_dataset, needs_fetch

__all__ = ["forget_hashes", "is_present", "load_manifest", "name_dataset", "needs_fetch"]

"""The transfer-value store: one Zarr group for one data set and one recipe.

The only owner of zarr. Rows are computed and committed in blocks; a block counts when its digest
stands in `commit`, and a store counts when it is marked complete, which happens last.
"""

from pipeline.cache.layout import block_length, skipped_csv, store_path
from pipeline.cache.locking import lock_store
from pipeline.cache.reader import (
    StoreInfo,
    count_skipped,
    find_store,
    list_stores,
    mark_used,
    read_features,
    read_info,
    read_status,
)
from pipeline.cache.replacing import overwrite_path, swap_store
from pipeline.cache.writer import StoreWriter, create_store, write_skipped

__all__ = [
    "StoreInfo",
    "StoreWriter",
    "block_length",
    "count_skipped",
    "create_store",
    "find_store",
    "list_stores",
    "lock_store",
    "mark_used",
    "overwrite_path",
    "read_features",
    "read_info",
    "read_status",
    "skipped_csv",
    "store_path",
    "swap_store",
    "write_skipped",
]

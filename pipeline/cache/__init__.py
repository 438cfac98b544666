"""The transfer-value store: one Zarr group for one data set and one recipe.

The only owner of zarr. Rows are computed and committed in blocks; a block counts when its digest
stands in `commit`, and a store counts when it is marked complete, which happens last.
"""

from pipeline.cache.blocks import Block, BlockReader
from pipeline.cache.checking import Verification, reset_damage, verify_store
from pipeline.cache.cleaning import (
    Leftover,
    count_resumable,
    find_leftovers,
    find_mend,
    list_foreign,
    lists_of,
    remove_leftovers,
    remove_store,
)
from pipeline.cache.donors import RowSource, find_source_paths
from pipeline.cache.layout import block_length, store_path
from pipeline.cache.locking import last_life, lock_store, show_life, was_killed
from pipeline.cache.matching import MatchedRows, ValuesDiff, compare_values, match_rows, row_cosines
from pipeline.cache.naming import resolve_store
from pipeline.cache.outline import (
    Outline,
    count_bytes,
    count_committed,
    list_store_paths,
    read_outline,
    used_at,
)
from pipeline.cache.probing import Holder, find_holder
from pipeline.cache.reader import (
    RowStates,
    StoreInfo,
    check_unchanged,
    count_oddities,
    count_skipped,
    find_store,
    list_stores,
    mark_used,
    read_features,
    read_info,
    read_samples,
    read_states,
    stream_features,
)
from pipeline.cache.replacing import overwrite_path, swap_store
from pipeline.cache.rows import StoredRows
from pipeline.cache.runs import log_replacement, log_run, read_runs, runs_jsonl
from pipeline.cache.skipped import read_skipped, skipped_csv, write_skipped
from pipeline.cache.superseding import find_superseded
from pipeline.cache.writer import SealedBlock, StoreWriter, create_store

__all__ = [
    "Block",
    "BlockReader",
    "Holder",
    "Leftover",
    "MatchedRows",
    "Outline",
    "RowSource",
    "RowStates",
    "SealedBlock",
    "StoreInfo",
    "StoreWriter",
    "StoredRows",
    "ValuesDiff",
    "Verification",
    "block_length",
    "check_unchanged",
    "compare_values",
    "count_bytes",
    "count_committed",
    "count_oddities",
    "count_resumable",
    "count_skipped",
    "create_store",
    "find_holder",
    "find_leftovers",
    "find_mend",
    "find_source_paths",
    "find_store",
    "find_superseded",
    "last_life",
    "list_foreign",
    "list_store_paths",
    "list_stores",
    "lists_of",
    "lock_store",
    "log_replacement",
    "log_run",
    "mark_used",
    "match_rows",
    "overwrite_path",
    "read_features",
    "read_info",
    "read_outline",
    "read_runs",
    "read_samples",
    "read_skipped",
    "read_states",
    "remove_leftovers",
    "remove_store",
    "reset_damage",
    "resolve_store",
    "row_cosines",
    "runs_jsonl",
    "show_life",
    "skipped_csv",
    "store_path",
    "stream_features",
    "swap_store",
    "used_at",
    "verify_store",
    "was_killed",
    "write_skipped",
]

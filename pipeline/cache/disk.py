"""zarr's files, written such that they outlast a power cut."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Set
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from pipeline.durable import write_file


class DurableStore(LocalStore):
    """A local zarr store of which every key is on the disk, whole, once it is set.

    zarr renames as well, but never flushes: after a power cut a renamed file may be empty. And it
    makes the store's own folder anew if somebody deleted it; here that is a FileNotFoundError.

    Attributes
    ----------
    may_lack : set of str, optional
        The arrays that may have chunks which were never written, and read as the fill value. A
        missing chunk of any other is a FileNotFoundError. None, as in a new store, is all.
    """

    may_lack: Set[str] | None = None

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read one key; None if there is none."""
        return self._check_found(key, await super().get(key, prototype, byte_range))

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read one key; None if there is none."""
        found = super().get_sync(key, prototype=prototype, byte_range=byte_range)
        return self._check_found(key, found)

    def _check_found(self, key: str, found: Buffer | None) -> Buffer | None:
        array, is_chunk, _ = key.partition("/c/")
        if found is None and is_chunk and self.may_lack is not None and array not in self.may_lack:
            raise FileNotFoundError(
                errno.ENOENT, os.strerror(errno.ENOENT), str(Path(self.root, key))
            )
        return found

    async def set(self, key: str, value: Buffer) -> None:
        """Write one key."""
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write one key."""
        self._check_writable()
        root = Path(self.root)
        root.stat()
        write_file(root / key, value.as_buffer_like(), within=root)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write one key; the holder of the store's lock is the only one who does."""
        if not await self.exists(key):
            await self.set(key, value)

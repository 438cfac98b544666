"""A budget that threads share: how many pixels are decoded at any one time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class PixelBudget:
    """Let threads decode together while their images add up to no more than a limit.

    Parameters
    ----------
    limit : int
        Pixels. An image that is larger still waits until it is alone.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_use = 0
        self._changed = Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until `pixels` fit, and keep them while the block runs; not to be nested."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_use or self._in_use + pixels <= self._limit)
            self._in_use += pixels
        try:
            yield
        finally:
            with self._changed:
                self._in_use -= pixels
                self._changed.notify_all()

from tests.made_stores import small_blocks

__all__ = ["small_blocks"]

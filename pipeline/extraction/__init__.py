"""Filling a store: which rows are missing, where their values come from, and how far to trust."""

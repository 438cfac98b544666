"""Which part of an image spoke for an answer: exact, where a decision is linear in averages."""

from pipeline.activation.heat import choose_limit, explain

__all__ = ["choose_limit", "explain"]

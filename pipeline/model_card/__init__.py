"""The model card beside a model file, in Markdown."""

from pipeline.model_card.card import render_card
from pipeline.model_card.facts import CardFacts
from pipeline.model_card.markdown import escape

__all__ = ["CardFacts", "escape", "render_card"]

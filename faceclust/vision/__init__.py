"""Pixels to embeddings: detect, align, embed; `pipeline.py` has the order of the steps."""

"""Pixels to embeddings: detect, align, embed. The order is in `analyse.py`."""

"""Embeddings to groups. `group.py` chooses the algorithm and numbers what comes out."""

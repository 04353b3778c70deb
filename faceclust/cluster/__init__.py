"""Clustering: embeddings → groups. `group.py` chooses the algorithm and numbers the groups."""

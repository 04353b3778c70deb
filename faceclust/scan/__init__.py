"""A scan, from listing to cache: `run.py` has the order of things."""

"""Scanning, from listing folders to saving caches; `run.py` has the order of the steps."""

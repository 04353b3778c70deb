"""Accuracy measurements on labelled photos and on a library's confirmed names."""

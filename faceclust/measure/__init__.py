"""Measuring: `evaluation`'s formulas over faces of labelled photos, or of the library's own people."""

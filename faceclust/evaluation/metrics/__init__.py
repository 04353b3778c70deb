"""Formulas of the evaluation: verification, clustering and calibration scores."""

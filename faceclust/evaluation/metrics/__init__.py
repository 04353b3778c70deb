"""The formulas of evaluation: verification, clustering, calibration."""

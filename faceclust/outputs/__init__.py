"""Outputs: report, map, albums, sidecars, tables and plots."""

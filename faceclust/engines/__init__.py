"""Engines that do the work of a scan or of clustering elsewhere than in this process and its children."""

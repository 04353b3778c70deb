"""Scans and clustering on a Dask cluster: other processes and other machines, the same answer."""

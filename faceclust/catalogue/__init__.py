"""The read-only view of a library: its faces, groups and persons, read from disk."""

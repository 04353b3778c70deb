"""The page for naming people in a browser: one process, one library, this machine only."""

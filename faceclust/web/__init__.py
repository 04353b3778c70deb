"""The page for naming people: a server for one library, on this machine only."""

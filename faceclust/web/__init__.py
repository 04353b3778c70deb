"""The page for naming people: a server for this machine alone, started by `faceclust label --web`."""

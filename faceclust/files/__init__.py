"""Files on disk: atomic writes, locks, safe paths, reserved names."""

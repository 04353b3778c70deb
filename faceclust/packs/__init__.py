"""Which models: a manifest names the files, their hashes and what they mean."""

"""Text for every layer: counts with their nouns, TOML."""

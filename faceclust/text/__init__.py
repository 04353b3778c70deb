"""Text for people, used by every layer: counts with their nouns."""

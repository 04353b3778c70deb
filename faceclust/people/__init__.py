"""Combine groups with the user's answers to get persons."""

"""The library and its verbs, one module for each."""

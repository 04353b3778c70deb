"""The library: one module per verb, bound to the class `Library` in library.py."""

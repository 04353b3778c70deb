"""Persons to what people look at and other programs read."""

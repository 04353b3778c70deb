"""Crops: a picture of each face of a person, named by date, and contact sheets."""

"""The map: every face as a point in the plane, in one page."""

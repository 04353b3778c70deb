"""The map page: every face as a point in the plane."""

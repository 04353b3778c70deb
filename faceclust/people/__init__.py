"""Groups, and what the user said of them, to persons."""

"""Notice new, changed and deleted photos of a library, and when they have settled."""

"""The terminal: progress, pictures, the label screen, output files, text."""

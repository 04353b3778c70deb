"""The report on everybody in a library: as values, and as HTML in one file or a folder."""

"""The report: everyone on pages to look at, as values, and as HTML in one file or a folder."""

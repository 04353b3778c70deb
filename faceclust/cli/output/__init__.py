"""The tables and lines that commands print."""

"""Files on disk: one Parquet cache per photo folder, one `.faceclust/` at the library's root."""

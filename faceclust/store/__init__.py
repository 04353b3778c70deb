"""What is on disk: one parquet a photo folder, one `.faceclust/` at the library's root."""

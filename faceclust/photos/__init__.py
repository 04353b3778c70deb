"""Photo files: bytes to upright RGB pixels and metadata."""

"""What is known of a library, read from disk: faces, groups, persons."""

"""Import names that other programs gave: read their files and match them with the found faces."""

"""XMP in the notation of other programs: packets, face regions, keywords. No access to photo files."""

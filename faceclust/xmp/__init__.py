"""XMP as other programs write and read it: packets, face regions, keywords. No files of photos here."""

"""What other programs say of who is on the photos: read from their files, set against found faces."""

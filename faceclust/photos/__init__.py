"""Files to scanned photos: crawl, decode, read metadata, examine in worker processes."""

"""Training losses ("heads"), each in a module of its own with its paper and defaults."""

"""Model packs onto this machine: pull, add, remove."""

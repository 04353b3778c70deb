"""Install model packs on this machine: pull, add, remove."""

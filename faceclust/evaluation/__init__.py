"""How good it is: verification and clustering scores from their definitions."""

"""Train an embedder: losses, networks, the training loop, and the way from weights to a measured pack.

Modules that import torch are loaded by `faceclust train` only; torch comes with the extra `train`.
"""

"""The multi-stream variational autoencoder (arXiv 2510.15669)."""

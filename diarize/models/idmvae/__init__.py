"""Independently disentangled multimodal VAE: what views share, and what is each one's own."""

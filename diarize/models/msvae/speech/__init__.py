"""The multi-stream VAE for speech: streams that share one network, conditioned on a voice."""

"""Components of mixtures without labels: narrow latents, and one diffusion decoder for all."""

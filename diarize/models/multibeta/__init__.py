"""A variational autoencoder for many betas, and the diffusion from the highest to the lowest."""

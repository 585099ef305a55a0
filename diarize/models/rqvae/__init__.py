"""Music taken apart by a residual-quantised variational autoencoder: see README.md."""

"""What a model eats: voice activity, speaker embeddings, spectra."""

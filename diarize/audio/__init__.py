"""Audio files and arrays: reading, resampling, mixing, and the arithmetic of frames."""

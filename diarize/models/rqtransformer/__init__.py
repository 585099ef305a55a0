"""Music made of codes: a transformer over the frames, and one over the codes of each."""

"""Facts on disk: RTTM, UEM, manifests, and the exports other tools read."""

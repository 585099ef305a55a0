"""Using the models: windows, clustering, stitching, turns, the whole diarizer."""

"""Where recordings come from: a folder or a seed becomes a list of recordings."""

"""Pictures and pages of a result. Functions return a figure or a page, and never show it."""

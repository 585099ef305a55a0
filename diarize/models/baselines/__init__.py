"""What the multi-stream VAE is compared with, and what judges both.

`vaebss` separates the same mixtures with one encoder and one shared decoder, and knows no classes.
`digit_classifier` says which digit a separated image shows.
"""

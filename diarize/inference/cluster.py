"""How many speakers there are, and which local speakers are the same person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

APART = 2.0  # the greatest cosine distance: two local speakers of one window are two people


@dataclass(frozen=True)
class ClusterSettings:
    """What counts as the same person."""

    distance: float = 0.5  # mean cosine distance above which two groups are two people
    least_solo_s: float = 1.0  # embeddings of less speech alone do not found a cluster
    least_cluster_s: float = 0.0  # a cluster with less speech than this joins its nearest


@dataclass(frozen=True)
class Speakers:
    """Who was found: one direction in embedding space a speaker, and how much he weighs."""

    centroid: Float[np.ndarray, "speaker dimension"]
    weight_s: Float[np.ndarray, " speaker"]


def find_speakers(
    embedding: Float[np.ndarray, "item dimension"],
    window: Int[np.ndarray, " item"],
    solo_s: Float[np.ndarray, " item"],
    bounds: tuple[int, int],
    settings: ClusterSettings,
) -> Speakers:
    """The speakers behind the local speakers of all windows, most speech first."""
    raise NotImplementedError

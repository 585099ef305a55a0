"""How many speakers there are, and what the voice of each is.

Two stages. Average linkage joins units of speech (up to two seconds) into small, pure groups.
Groups are then joined pair by pair, the most alike first, and after each joining the voice of the
pair is computed anew from all of its frames: the more speech, the steadier the voice, so that
one threshold serves groups of one second and of one minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

Embed = Callable[[Float[np.ndarray, "voice statistic"]], Float[np.ndarray, "voice dimension"]]
BLOCK_UNITS = 2000  # linkage is quadratic: long recordings are linked in blocks of about an hour


@dataclass(frozen=True)
class ClusterSettings:
    """What counts as the same person, and who counts as a person at all."""

    unit_distance: float = 0.6  # mean cosine distance up to which units are joined
    group_similarity: float = 0.53  # cosine from which groups are joined
    least_share: float = 0.03  # of all speech, that a speaker has
    least_s: float = 0.5  # of speech, that a speaker has at least
    enough_s: float = 2.0  # of speech, that is enough whatever the share

    def least_speaker_s(self, speech_s: float) -> float:
        """How much a group must say to be a speaker, of `speech_s` in all."""
        return float(np.clip(self.least_share * speech_s, self.least_s, self.enough_s))


@dataclass(frozen=True)
class SpeakerBounds:
    """The least and the greatest number of speakers that may be found."""

    least: int = 1
    most: int = 20


def find_speakers(
    unit: Float[np.ndarray, "unit statistic"],
    embed: Embed,
    unit_s: Float[np.ndarray, " unit"],
    bounds: SpeakerBounds,
    settings: ClusterSettings | None = None,
) -> Float[np.ndarray, "speaker dimension"]:
    """The voices of the speakers, each of unit length, who says most first.

    `unit` holds statistics that add up (see `features.speaker`), `embed` makes embeddings of
    them, `unit_s` says how long each unit is. There are at least `bounds.least` speakers
    wherever there are as many units, and at most `bounds.most`.
    """
    settings = settings or ClusterSettings()
    if not len(unit):
        return embed(unit)
    group = _link(embed(unit), bounds.least, settings.unit_distance)
    n_groups = int(group.max()) + 1
    statistic = np.zeros((n_groups, unit.shape[1]))
    np.add.at(statistic, group, unit)
    talk_s = np.bincount(group, weights=unit_s, minlength=n_groups)
    by_length = np.argsort(-talk_s, kind="stable")
    least_s = settings.least_speaker_s(float(unit_s.sum()))
    n_founders = max(int((talk_s >= least_s).sum()), min(bounds.least, n_groups), 1)
    founders = by_length[:n_founders]
    voices = _Groups(statistic[founders], talk_s[founders], embed)
    voices.join_alike(settings.group_similarity, bounds)
    order = np.argsort(-voices.talk_s, kind="stable")
    return voices.voice[order]


def _link(
    embedding: Float[np.ndarray, "unit dimension"], least: int, distance: float
) -> Int[np.ndarray, " unit"]:
    """A group number for each unit, by average linkage on the cosine distance."""
    if len(embedding) > BLOCK_UNITS:
        n_blocks = -(-len(embedding) // BLOCK_UNITS)
        blocks = np.array_split(embedding, n_blocks)
        parts, offset = [], 0
        for block in blocks:
            part = _link(block, least, distance)
            parts.append(part + offset)
            offset += int(part.max()) + 1
        return np.concatenate(parts)
    if len(embedding) < 2:
        return np.zeros(len(embedding), dtype=np.int64)
    tree = linkage(np.clip(pdist(embedding, "cosine"), 0, None), "average")
    group = fcluster(tree, distance, "distance")
    if group.max() < least:
        group = fcluster(tree, least, "maxclust")
    return group.astype(np.int64) - 1


class _Groups:
    """Groups of units that are joined one pair at a time."""

    def __init__(
        self,
        statistic: Float[np.ndarray, "group statistic"],
        talk_s: Float[np.ndarray, " group"],
        embed: Embed,
    ) -> None:
        self.statistic = statistic
        self.talk_s = talk_s
        self.embed = embed
        self.voice = embed(statistic)

    def join_alike(self, similarity: float, bounds: SpeakerBounds) -> None:
        """Join until no two groups are alike and there are not too many, or as few as allowed."""
        alike = self.voice @ self.voice.T
        np.fill_diagonal(alike, -np.inf)
        while len(self.voice) > bounds.least:
            first, second = _place(int(alike.argmax()), len(alike))
            if alike[first, second] < similarity:
                if len(self.voice) <= bounds.most:
                    return
                first, second = self._cheapest(alike)
            self._join(first, second)
            alike = np.delete(np.delete(alike, second, 0), second, 1)
            kept = first - int(second < first)
            alike[kept] = alike[:, kept] = self.voice @ self.voice[kept]
            alike[kept, kept] = -np.inf

    def _cheapest(self, alike: Float[np.ndarray, "group group"]) -> tuple[int, int]:
        """The pair whose joining moves the least speech the least far, as Ward's rule has it."""
        moved = self.talk_s[:, None] * self.talk_s / (self.talk_s[:, None] + self.talk_s)
        return _place(int((moved * (1 - alike)).argmin()), len(alike))

    def _join(self, first: int, second: int) -> None:
        self.statistic[first] += self.statistic[second]
        self.talk_s[first] += self.talk_s[second]
        self.voice[first] = self.embed(self.statistic[first : first + 1])[0]
        self.statistic = np.delete(self.statistic, second, 0)
        self.talk_s = np.delete(self.talk_s, second)
        self.voice = np.delete(self.voice, second, 0)


def _place(index: int, n_columns: int) -> tuple[int, int]:
    """Row and column of the entry at `index` of a square table."""
    return index // n_columns, index % n_columns

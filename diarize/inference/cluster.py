"""How many speakers there are, and what the voice of each is.

Two stages. Average linkage joins units of speech (some two seconds) into small, pure groups.
Groups are then joined pair by pair, and after each joining the voice of the pair is computed anew
from all of its frames: the more speech, the steadier the voice. How alike two voices must be to
be one grows with how much speech there is to judge by, and with how often the segmentation heard
them as two people in one window: on a telephone everybody sounds alike, but not to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from diarize.errors import BadCall

Embed = Callable[[Float[np.ndarray, "voice statistic"]], Float[np.ndarray, "voice dimension"]]
BLOCK_UNITS = 2000  # linkage is quadratic: long recordings are linked in blocks of about an hour


@dataclass(frozen=True)
class Units:
    """Pieces of speech of one local speaker alone, and where they are from."""

    statistic: Float[np.ndarray, "unit statistic"]  # adds up, see `features.speaker`
    talk_s: Float[np.ndarray, " unit"]
    window: Int[np.ndarray, " unit"]
    place: Int[np.ndarray, " unit"]  # which local speaker of the window


@dataclass(frozen=True)
class ClusterSettings:
    """What counts as the same person, and who counts as a person at all."""

    unit_distance: float = 0.5  # mean cosine distance up to which units are joined
    finer_distance: float = 0.35  # the same, where voices so found leave much speech unexplained
    brief_similarity: float = 0.4  # cosine from which groups of `brief_s` are joined
    group_similarity: float = 0.5  # the same for groups of `steady_s` and more
    brief_s: float = 1.0
    steady_s: float = 4.0
    apart_similarity: float = 0.2  # what two people of one window must be alike beyond that
    least_share: float = 0.03  # of all speech, that a speaker has
    least_s: float = 0.5  # of speech, that a speaker has at least
    enough_s: float = 2.0  # of speech, that is enough whatever the share

    def __post_init__(self) -> None:
        if self.steady_s <= self.brief_s:
            raise BadCall(
                f"steady_s is {self.steady_s}; it must be more than brief_s {self.brief_s}"
            )

    @property
    def finer(self) -> ClusterSettings:
        """The same settings with finer groups of units."""
        return replace(self, unit_distance=self.finer_distance)

    def least_speaker_s(self, speech_s: float) -> float:
        """How much a group must say to be a speaker, of `speech_s` in all."""
        return float(np.clip(self.least_share * speech_s, self.least_s, self.enough_s))


@dataclass(frozen=True)
class SpeakerBounds:
    """The least and the greatest number of speakers that may be found."""

    least: int = 1
    most: int = 20


@dataclass(frozen=True)
class SpeakerSet:
    """Some speakers of a recording, who may be all of them.

    Attributes:
        voice: of each, of unit length; who says most first.
        talk_s: seconds that each says alone.
        alike: by how much each is more like somebody who says more than two people are alike; below
            0, he is another person. -1 for who says most.
    """

    voice: Float[np.ndarray, "speaker dimension"]
    talk_s: Float[np.ndarray, " speaker"]
    alike: Float[np.ndarray, " speaker"]

    @property
    def all_differ(self) -> bool:
        """Whether all seem to be different people."""
        return bool((self.alike < 0).all())

    def __len__(self) -> int:
        return len(self.talk_s)


def speaker_sets(
    units: Units,
    embed: Embed,
    least_s: float | None = None,
    settings: ClusterSettings | None = None,
    least: int = 1,
) -> list[SpeakerSet]:
    """All sets of speakers on the way from many small groups to one, the smallest set first.

    A group must say `least_s` to be among them; by default as much as `find_speakers` asks for.
    The largest set has at least `least` voices, wherever as many units differ.
    No units give no sets.
    """
    settings = settings or ClusterSettings()
    if not len(units.talk_s):
        return []
    group = _link(embed(units.statistic), least, settings.unit_distance)
    talk_s = np.bincount(group, weights=units.talk_s)
    if least_s is None:
        least_s = settings.least_speaker_s(float(units.talk_s.sum()))
    n_founders = max(int((talk_s >= least_s).sum()), min(least, len(talk_s)), 1)
    founders = np.argsort(-talk_s, kind="stable")[:n_founders]
    groups = _Groups(units, group, founders, embed, settings)
    return groups.path()[::-1]


def find_speakers(
    units: Units, embed: Embed, bounds: SpeakerBounds, settings: ClusterSettings | None = None
) -> Float[np.ndarray, "speaker dimension"]:
    """The voices of the speakers, each of unit length, who says most first.

    `embed` makes embeddings of statistics. There are at least `bounds.least` speakers wherever
    as many units differ, and at most `bounds.most`.
    """
    settings = settings or ClusterSettings()
    if not len(units.talk_s):
        return embed(units.statistic)
    group = _link(embed(units.statistic), bounds.least, settings.unit_distance)
    n_groups = int(group.max()) + 1
    talk_s = np.bincount(group, weights=units.talk_s, minlength=n_groups)
    least_s = settings.least_speaker_s(float(units.talk_s.sum()))
    n_founders = max(int((talk_s >= least_s).sum()), min(bounds.least, n_groups), 1)
    founders = np.argsort(-talk_s, kind="stable")[:n_founders]
    groups = _Groups(units, group, founders, embed, settings)
    groups.join_alike(bounds)
    return groups.voice[np.argsort(-groups.talk_s, kind="stable")]


def _link(
    embedding: Float[np.ndarray, "unit dimension"], least: int, distance: float
) -> Int[np.ndarray, " unit"]:
    """A group number for each unit, by average linkage on the cosine distance."""
    if len(embedding) > BLOCK_UNITS:
        parts: list[Int[np.ndarray, " unit"]] = []
        for block in np.array_split(embedding, -(-len(embedding) // BLOCK_UNITS)):
            offset = int(parts[-1].max()) + 1 if parts else 0
            parts.append(_link(block, least, distance) + offset)
        return np.concatenate(parts)
    if len(embedding) < 2:
        return np.zeros(len(embedding), dtype=np.int64)
    tree = linkage(np.clip(pdist(embedding, "cosine"), 0, None), "average")
    group = fcluster(tree, distance, "distance")
    if group.max() < least:
        group = fcluster(tree, least, "maxclust")
    return group.astype(np.int64) - 1


def _to_greater(
    excess: Float[np.ndarray, "group group"], order: Int[np.ndarray, " group"]
) -> Float[np.ndarray, " group"]:
    """Of each group in `order`, the greatest excess with one before it; -1 for the first."""
    sorted_ = excess[np.ix_(order, order)]
    return np.array([sorted_[row, :row].max(initial=-1.0) for row in range(len(order))])


class _Groups:
    """Groups of units that are joined one pair at a time."""

    def __init__(
        self,
        units: Units,
        group: Int[np.ndarray, " unit"],
        founders: Int[np.ndarray, " group"],
        embed: Embed,
        settings: ClusterSettings,
    ) -> None:
        windows, window = np.unique(units.window, return_inverse=True)
        n_places = int(units.place.max()) + 1
        self.statistic = np.zeros((len(founders), units.statistic.shape[1]))
        self.talk_s = np.zeros(len(founders))
        self.where_s = np.zeros((len(founders), len(windows), n_places), dtype=np.float32)
        for row, founder in enumerate(founders):
            mine = group == founder
            self.statistic[row] = units.statistic[mine].sum(axis=0)
            self.talk_s[row] = units.talk_s[mine].sum()
            np.add.at(self.where_s[row], (window[mine], units.place[mine]), units.talk_s[mine])
        self.embed = embed
        self.settings = settings
        self.voice = embed(self.statistic)

    def join_alike(self, bounds: SpeakerBounds) -> None:
        """Join until no two groups are alike and there are not too many, or as few as allowed."""
        excess = np.stack([self._excess(row) for row in range(len(self.voice))])
        while len(self.voice) > bounds.least:
            first, second = divmod(int(excess.argmax()), len(excess))
            if excess[first, second] < 0:
                if len(self.voice) <= bounds.most:
                    return
                first, second = self._cheapest()
            excess = self._joined(excess, first, second)

    def path(self) -> list[SpeakerSet]:
        """What there is before each joining of the two most alike, until one is left."""
        excess = np.stack([self._excess(row) for row in range(len(self.voice))])
        found = []
        while True:
            first, second = divmod(int(excess.argmax()), len(excess))
            order = np.argsort(-self.talk_s, kind="stable")
            found.append(
                SpeakerSet(self.voice[order], self.talk_s[order], _to_greater(excess, order))
            )
            if len(self.voice) == 1:
                return found
            excess = self._joined(excess, first, second)

    def _joined(
        self, excess: Float[np.ndarray, "group group"], first: int, second: int
    ) -> Float[np.ndarray, "fewer fewer"]:
        """Join two groups; the excess of all pairs thereafter."""
        self._join(first, second)
        excess = np.delete(np.delete(excess, second, 0), second, 1)
        kept = first - int(second < first)
        excess[kept] = excess[:, kept] = self._excess(kept)
        return excess

    def _excess(self, row: int) -> Float[np.ndarray, " group"]:
        """By how much group `row` and each other are more alike than two people are."""
        settings = self.settings
        shorter_s = np.minimum(self.talk_s, self.talk_s[row])
        steady = (shorter_s - settings.brief_s) / (settings.steady_s - settings.brief_s)
        rise = settings.group_similarity - settings.brief_similarity
        wanted = settings.brief_similarity + rise * np.clip(steady, 0, 1)
        wanted = wanted + settings.apart_similarity * self._apart(row)
        excess = self.voice @ self.voice[row] - wanted
        excess[row] = -np.inf
        return excess

    def _apart(self, row: int) -> Float[np.ndarray, " group"]:
        """Share of speech in which group `row` and each other were two people of one window."""
        mine, others = self.where_s[row], self.where_s
        n_places = mine.shape[1]
        met_s = np.zeros(len(others))
        for here in range(n_places):
            for there in range(n_places):
                together = np.minimum(mine[:, here], others[:, :, there]).sum(axis=1)
                met_s += together if here != there else -together
        return np.clip(met_s / np.minimum(self.talk_s, self.talk_s[row]), 0, 1)

    def _cheapest(self) -> tuple[int, int]:
        """The pair whose joining moves the least speech the least far, as Ward's rule has it."""
        moved = self.talk_s[:, None] * self.talk_s / (self.talk_s[:, None] + self.talk_s)
        cost = moved * (1 - self.voice @ self.voice.T)
        np.fill_diagonal(cost, np.inf)
        first, second = divmod(int(cost.argmin()), len(cost))
        return first, second

    def _join(self, first: int, second: int) -> None:
        self.statistic[first] += self.statistic[second]
        self.talk_s[first] += self.talk_s[second]
        self.where_s[first] += self.where_s[second]
        self.voice[first] = self.embed(self.statistic[first : first + 1])[0]
        self.statistic = np.delete(self.statistic, second, 0)
        self.talk_s = np.delete(self.talk_s, second)
        self.where_s = np.delete(self.where_s, second, 0)
        self.voice = np.delete(self.voice, second, 0)

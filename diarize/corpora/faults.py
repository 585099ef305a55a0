"""What is wrong with the recordings of a corpus, gathered, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from diarize.errors import BadFile
from diarize.formats.text import shown

FEW = 12  # recordings of which a message says all; of those after them it gives the id


@dataclass
class Faults:
    """Recordings by the rule that they break, with what was found of each."""

    corpus: str
    broken: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, rule: str, recording: str, found: str = "") -> None:
        """Note that `recording` breaks `rule`, a clause that says what is wrong or expected."""
        self.broken.setdefault(rule, []).append((recording, found))

    def add_all(self, rule: str, recordings: Iterable[str]) -> None:
        """The same of several recordings."""
        for recording in recordings:
            self.add(rule, recording)

    @property
    def recordings(self) -> set[str]:
        """All that break a rule."""
        return {recording for cases in self.broken.values() for recording, _ in cases}

    def tell(self, n_recordings: int, remedy: str = "") -> None:
        """Do nothing if there are no faults.

        Raises:
            BadFile: there are some; it names each rule, and each recording that breaks it.

        >>> faults = Faults("ami")
        >>> faults.tell(2)
        >>> faults.add("no audio", "ES2004a")
        >>> faults.add("no audio", "ES2004b", "searched in two places")
        >>> faults.tell(16)
        Traceback (most recent call last):
        ...
        diarize.errors.BadFile: ami: 2 of 16 recordings cannot be used: no audio: ES2004a, \
ES2004b (searched in two places)
        """
        if not self.broken:
            return
        told = "; ".join(f"{rule}: {_listed(cases)}" for rule, cases in self.broken.items())
        number = f"{len(self.recordings)} of {n_recordings} recordings cannot be used"
        raise BadFile(f"{self.corpus}: {number}: {told}{'; ' if remedy else ''}{remedy}")


def _listed(cases: list[tuple[str, str]]) -> str:
    return ", ".join(
        recording + (f" ({found})" if found and number < FEW else "")
        for number, (recording, found) in enumerate(cases)
    )


def not_there(names: Iterable[str], known: Iterable[str], key: str, where: str) -> None:
    """Do nothing if all `names` are known.

    Raises:
        BadFile: one is not; `key` is the setting that names it.
    """
    lost = sorted(set(names) - set(known))
    if lost:
        raise BadFile(f"{where}: {key} names {', '.join(map(shown, lost))}; there is none such")

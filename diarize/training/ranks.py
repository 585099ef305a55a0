"""Several processes that train one model together: each has a rank, from 0."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as group

from diarize.errors import BadCall, DiarizeError

MEETING = "DIARIZE_RANKS_MEET_IN"  # a file, where no torchrun has named an address
Kind = TypeVar("Kind")


class LostRank(DiarizeError):
    """Another rank has ended; what it said itself tells why."""

    exit_code = 75  # "try again": who started the ranks looks for one that ended with another


class RanksApart(DiarizeError):
    """Ranks that should have the same weights do not."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; alone, nothing of this does any work.

    All ranks must call the same methods in the same order. Each raises LostRank if another rank
    has ended.

    Attributes:
        rank: of this process, from 0. Rank 0 reads and writes the files and tells of progress.
        number: of ranks.
        local: which of the ranks on this machine it is, from 0.
    """

    rank: int = 0
    number: int = 1
    local: int = 0
    _names: list[str] = field(default_factory=list)

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other."""
        return self.number == 1

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by the sum of those of all ranks: the same bits on all.

        Those of one type travel together, so that there are few messages. The order in which
        numbers are added depends on their number and on that of ranks alone, never on time.
        """
        if self.is_alone:
            return
        for kind in dict.fromkeys((one.dtype, one.device) for one in tensors):
            alike = [one for one in tensors if (one.dtype, one.device) == kind]
            flat = torch.cat([one.reshape(-1) for one in alike])
            with _told_of_loss():
                group.all_reduce(flat)
            parts = flat.split([one.numel() for one in alike])
            for one, part in zip(alike, parts, strict=True):
                one.copy_(part.view(one.shape))

    def totals(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """The sum over ranks of each number by its name; not all ranks need have all names."""
        if self.is_alone:
            return dict(numbers)
        is_new = bool(numbers.keys() - set(self._names))
        together = torch.tensor(
            [float(is_new), *(numbers.get(name, 0.0) for name in self._names)], dtype=torch.float64
        )
        self.add_up([together])
        any_new, *values = together.tolist()
        if any_new:  # rare: as a rule all numbers come at the first step
            named = {name for names in self.gather(list(numbers)) for name in names}
            self._names[:] = sorted(named.union(self._names))
            return self.totals(numbers)
        return dict(zip(self._names, values, strict=True))

    def greatest(self, *numbers: int) -> list[int]:
        """The greatest of each number over the ranks."""
        if self.is_alone:
            return list(numbers)
        together = torch.tensor(numbers)
        with _told_of_loss():
            group.all_reduce(together, group.ReduceOp.MAX)
        return [int(one) for one in together]

    def gather(self, thing: Kind) -> list[Kind]:
        """What every rank has, in their order."""
        if self.is_alone:
            return [thing]
        found: list[Any] = [None] * self.number
        with _told_of_loss():
            group.all_gather_object(found, thing)
        return found

    def by_first(self, make: Callable[[], Kind]) -> Kind:
        """What `make` returns on rank 0, on all ranks."""
        made: list[Any] = [make() if self.is_first else None]
        if not self.is_alone:
            with _told_of_loss():
                group.broadcast_object_list(made)
        found: Kind = made[0]
        return found

    def wait(self) -> None:
        """Until all ranks are here."""
        self.greatest(0)

    def check_same(self, tensors: Mapping[str, Tensor]) -> None:
        """Check that all ranks have the same bits under the same names.

        Raises:
            RanksApart: they have not.
        """
        if self.is_alone:
            return
        sums = {name: _checksum(tensor) for name, tensor in tensors.items()}
        for rank, others in enumerate(self.gather(sums)):
            if apart := sorted(name for name in sums if others.get(name) != sums[name]):
                raise RanksApart(
                    f"rank {rank} has another {apart[0]} than rank {self.rank} (of {len(apart)} "
                    "that differ); ranks want machines of one kind, and a model whose buffers "
                    "change in its loss only as sums (float64 or whole numbers) do"
                )


ALONE = Ranks()


def told_ranks() -> Ranks:
    """The ranks that the environment tells of, as torchrun sets it; no others are met yet.

    Raises:
        BadCall: it tells of a rank that cannot be.
    """
    try:
        number, rank, local = (
            int(os.environ.get(name, default))
            for name, default in (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0"))
        )
    except ValueError:
        rank, number, local = -1, 0, 0
    if not 0 <= rank < number:
        told = {name: os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        raise BadCall(f"{told} in the environment; torchrun sets whole numbers, RANK < WORLD_SIZE")
    return Ranks(rank, number, local)


@contextlib.contextmanager
def met_ranks() -> Iterator[Ranks]:
    """The ranks that train together, for a block; whoever met before stays met.

    Over gloo what is on the CPU, over nccl what is on GPUs.

    Raises:
        BadCall: the environment does not tell where to meet.
        LostRank: the others are not there.
    """
    if group.is_available() and group.is_initialized():
        local = int(os.environ.get("LOCAL_RANK", "0"))
        yield Ranks(group.get_rank(), group.get_world_size(), local)
        return
    ranks = told_ranks()
    if ranks.is_alone:
        yield ranks
        return
    place = os.environ.get(MEETING)
    if not place and "MASTER_ADDR" not in os.environ:
        raise BadCall(
            f"WORLD_SIZE = {ranks.number} in the environment, and no MASTER_ADDR to meet at; "
            "torchrun sets both, and `--ranks` needs neither"
        )
    method = Path(place).absolute().as_uri() if place else "env://"
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with _told_of_loss("the ranks do not meet"):
        group.init_process_group(
            backend, init_method=method, rank=ranks.rank, world_size=ranks.number
        )
    try:
        yield ranks
    finally:
        group.destroy_process_group()


@contextlib.contextmanager
def _told_of_loss(what: str = "another rank has ended, and said why") -> Iterator[None]:
    """Whatever torch says when a connection breaks becomes LostRank."""
    try:
        yield
    except RuntimeError as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "no more is known"
        raise LostRank(f"{what} ({first})") from error


def _checksum(tensor: Tensor) -> int:
    plain = tensor.detach().cpu().contiguous().reshape(-1)
    return zlib.crc32(plain.view(torch.uint8).numpy().data)

"""Which data of a step one rank works on: together the ranks work on just what one would."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.overrides import TorchFunctionMode

from diarize.errors import BadCall
from diarize.models.contract import Batch
from diarize.training.ranks import ALONE, Ranks

CPU = torch.device("cpu")
_DRAWN = (torch.randn, torch.rand)


@dataclass(frozen=True)
class Share:
    """Some data of a step.

    Attributes:
        batch: the data.
        rows: their places among all data of the step, of all its batches and ranks.
        n_rows: how many those are.
    """

    batch: Batch
    rows: Int[Tensor, " batch"]
    n_rows: int

    @property
    def weight(self) -> float:
        """Which part of the step it is: a mean over these data counts so much in that over all."""
        return len(self.batch) / self.n_rows

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the step."""
        return len(self.batch) == self.n_rows


def shares_of(
    batches: Sequence[Batch], ranks: Ranks = ALONE, device: torch.device = CPU
) -> list[Share]:
    """What one rank takes of the batches of a step, on `device`: of each every so manieth datum.

    So each rank gets a bit of whatever comes first or last in a batch, as labelled data may.

    Raises:
        BadCall: a batch has fewer data than there are ranks.

    >>> ten = Batch(torch.arange(5.0)[:, None]), Batch(torch.arange(5.0)[:, None] + 5)
    >>> [share.rows.tolist() for share in shares_of(ten, Ranks(rank=1, number=2))]
    [[1, 3], [6, 8]]
    """
    n_rows, first, found = sum(map(len, batches)), 0, []
    for batch in batches:
        if len(batch) < ranks.number:
            raise BadCall(
                f"a batch of {len(batch)} for {ranks.number} ranks; as many ranks as data, or "
                "fewer, would be right"
            )
        own = torch.arange(ranks.rank, len(batch), ranks.number)
        some = batch if ranks.is_alone else _some_of(batch, own)
        found.append(Share(moved(some, device), first + own, n_rows))
        first += len(batch)
    return found


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`, with all that is known of it."""
    tensors = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    there = {name: one.to(device) for name, one in tensors.items() if one is not None}
    return dataclasses.replace(batch, **there)


def _some_of(batch: Batch, rows: Tensor) -> Batch:
    tensors = {one.name: getattr(batch, one.name) for one in dataclasses.fields(batch)}
    there = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    for name, tensor in there.items():
        if not tensor.ndim or len(tensor) != len(batch):
            raise BadCall(
                f"{type(batch).__name__}.{name} of shape {tuple(tensor.shape)} in a batch of "
                f"{len(batch)}; to be shared out among ranks, it must have a row a datum"
            )
    return dataclasses.replace(batch, **{name: one[rows] for name, one in there.items()})


class SharedNoise:
    """In the block, noise is drawn for all data of a step, and a share keeps its own.

    Of a draw of `torch.randn` or `torch.rand` by `generator`, the first axis that is as long as the
    share has data is taken to be that of the data; one without such an axis comes out the same in
    every share. Data have the same noise, then, on whatever rank, and in however many batches.
    """

    def __init__(self, share: Share, generator: torch.Generator) -> None:
        self._mode = None if share.is_whole else _RowsDrawn(share, generator)

    def __enter__(self) -> None:
        if self._mode is not None:
            self._mode.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mode is not None:
            self._mode.__exit__(kind, error, trace)


class _RowsDrawn(TorchFunctionMode):
    def __init__(self, share: Share, generator: torch.Generator) -> None:
        super().__init__()
        self.share, self.generator = share, generator
        self.rows = share.rows.to(generator.device)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is not self.generator:
            return func(*args, **kwargs)
        if func not in _DRAWN:
            name = getattr(func, "__name__", func)
            raise BadCall(
                f"the model draws by {name}; in several ranks, or batches to a step, only draws "
                "by torch.randn and torch.rand can be shared out"
            )
        size = kwargs.pop("size", args[0] if len(args) == 1 else args)
        size = (size,) if isinstance(size, int) else tuple(size)
        if len(self.rows) not in size:
            return func(size, **kwargs)
        axis = size.index(len(self.rows))
        whole = func((*size[:axis], self.share.n_rows, *size[axis + 1 :]), **kwargs)
        return whole.index_select(axis, self.rows)

"""A vector as a sum of codes: each codebook says what those before it left over."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.errors import BadCall
from diarize.layers.codebook import Codebook, CodebookRules


@dataclass(frozen=True)
class Quantised:
    """Vectors as sums of codes.

    Attributes:
        vectors: those sums; the gradient goes through to what was quantised as it is.
        codes: the number of each code.
        codebook_error: squared distance of the codes to what they stand for, mean over numbers,
            sum over stages; its gradient moves the codes. Zero where codes are running means.
        commitment_error: the same distance, whose gradient moves what is quantised.
        total_error: squared distance of the sum to what was quantised, with that gradient too.
    """

    vectors: Float[Tensor, "group n width"]
    codes: Int[Tensor, "stage group n"]
    codebook_error: Float[Tensor, ""]
    commitment_error: Float[Tensor, ""]
    total_error: Float[Tensor, ""]


class ResidualCodebooks(nn.Module):
    """`n_stages` codebooks, one after another, for each of `n_groups` kinds of vectors.

    Source: arXiv 2408.07020, its code: own codebooks for each stage, the nearest by Euclidean
    distance, straight-through gradients. There, stages after the first begin at random numbers;
    here each begins at the means of what is left over to it.
    """

    def __init__(self, n_stages: int, n_groups: int, width: int, rules: CodebookRules) -> None:
        super().__init__()
        if n_stages < 1:
            raise BadCall(f"{n_stages} stages of codes; 1 or more would be right")
        self.stages = nn.ModuleList(Codebook(n_groups, width, rules) for _ in range(n_stages))

    def forward(
        self,
        vectors: Float[Tensor, "group n width"],
        generator: torch.Generator | None = None,
        n_stages: int | None = None,
    ) -> Quantised:
        """Vectors as sums of codes of the first `n_stages`; all learn if there is a `generator`."""
        left, total = vectors.float(), torch.zeros_like(vectors, dtype=torch.float32)
        nothing = left.new_zeros(())
        numbers, codebook_error, commitment_error = [], nothing, nothing
        for book in self._first(n_stages):
            if generator is not None:
                book.start(left, generator)
            number = book.nearest(left)
            code = book.look_up(number)
            commitment_error = commitment_error + ((left - code.detach()) ** 2).mean()
            if book.rules.learning == "gradient":
                codebook_error = codebook_error + ((left.detach() - code) ** 2).mean()
            if generator is not None:
                book.learn(left.detach(), number, generator)
            numbers.append(number)
            left, total = left - code.detach(), total + code.detach()
        through = vectors + (total - vectors).detach()
        total_error = ((vectors.float() - total) ** 2).mean()
        codes = torch.stack(numbers)
        return Quantised(through, codes, codebook_error, commitment_error, total_error)

    def look_up(self, codes: Int[Tensor, "stage group n"]) -> Float[Tensor, "group n width"]:
        """The sums that these codes stand for; stages may be left off at the end."""
        books = self._first(len(codes))
        return sum(
            (book.look_up(number) for book, number in zip(books[1:], codes[1:], strict=True)),
            start=books[0].look_up(codes[0]),
        )

    def books(self) -> list[Codebook]:
        """The codebook of each stage."""
        return list(self.stages)  # type: ignore[arg-type]

    def _first(self, n_stages: int | None) -> list[Codebook]:
        if n_stages is not None and not 1 <= n_stages <= len(self.stages):
            raise BadCall(f"{n_stages} stages of codes; there are 1 to {len(self.stages)}")
        return self.books()[:n_stages]

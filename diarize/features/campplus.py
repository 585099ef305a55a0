"""CAM++ speaker embeddings, with the frame features before pooling kept in reach.

Source: Wang et al., "CAM++: a fast and efficient network for speaker verification using
context-aware masking", arXiv 2303.00332. Weights: 3D-Speaker's Chinese-English common model,
192 dimensions, Apache-2.0.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diarize.features.trained import load_trained
from diarize.weights import find_weights

SEGMENT_FRAMES = 100  # span of the local context in the masking layers, 2 s
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of the three dense blocks
GROWTH = 32
BOTTLENECK = 128
CHANNELS = 512  # of the frame features
EMBEDDING = 192


class _Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut; the first may halve the frequency axis."""

    def __init__(self, n_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_channels, n_channels, 3, (stride, 1), 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_channels)
        self.conv2 = nn.Conv2d(n_channels, n_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_channels)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(n_channels, n_channels, 1, (stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(n_channels))

    def forward(self, hidden: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(hidden)))))
        return torch.relu(inner + self.shortcut(hidden))


class _Head(nn.Module):
    """The two-dimensional front: (batch, mel, frame) to (batch, 320, frame)."""

    def __init__(self, n_channels: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, n_channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_channels)
        self.layer1 = nn.Sequential(_Residual(n_channels, 2), _Residual(n_channels, 1))
        self.layer2 = nn.Sequential(_Residual(n_channels, 2), _Residual(n_channels, 1))
        self.conv2 = nn.Conv2d(n_channels, n_channels, 3, (2, 1), 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_channels)

    def forward(self, mels: Tensor) -> Tensor:
        hidden = torch.relu(self.bn1(self.conv1(mels.unsqueeze(1))))
        hidden = torch.relu(self.bn2(self.conv2(self.layer2(self.layer1(hidden)))))
        return hidden.flatten(1, 2)


class _Norm(nn.Module):
    """Batch normalisation, by default followed by a rectifier."""

    def __init__(self, n_channels: int, affine: bool = True) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(n_channels, affine=affine)
        self.rectify = affine

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.batchnorm(hidden)
        return torch.relu_(hidden) if self.rectify else hidden


class _ContextMask(nn.Module):
    """A convolution whose output is masked by what the whole chunk and its two seconds hold.

    Source: arXiv 2303.00332, section 2.2, equations 1 to 6.
    """

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            BOTTLENECK, GROWTH, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // 2, GROWTH, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        segments = functional.avg_pool1d(hidden, SEGMENT_FRAMES, SEGMENT_FRAMES, ceil_mode=True)
        context = hidden.mean(-1, keepdim=True) + segments
        mask = torch.sigmoid(self.linear2(torch.relu(self.linear1(context))))
        spread = mask.repeat_interleave(SEGMENT_FRAMES, dim=-1)[..., : hidden.shape[-1]]
        return self.linear_local(hidden) * spread


class _DenseLayer(nn.Module):
    def __init__(self, n_in: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _Norm(n_in)
        self.linear1 = nn.Conv1d(n_in, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _Norm(BOTTLENECK)
        self.cam_layer = _ContextMask(dilation)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(hidden))))


class _DenseBlock(nn.Module):
    def __init__(self, n_in: int, n_layers: int, dilation: int) -> None:
        super().__init__()
        for layer in range(n_layers):
            self.add_module(f"tdnnd{layer + 1}", _DenseLayer(n_in + layer * GROWTH, dilation))

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.children():
            hidden = torch.cat([hidden, layer(hidden)], dim=1)
        return hidden


class _Transit(nn.Module):
    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.nonlinear = _Norm(n_in)
        self.linear = nn.Conv1d(n_in, n_in // 2, 1, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.linear(self.nonlinear(hidden))


class _Linear(nn.Module):
    """A convolution and its normalisation, in that order."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.linear = nn.Conv1d(n_in, n_out, kernel, stride, (kernel - 1) // 2, bias=False)
        self.nonlinear = _Norm(n_out, affine)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.nonlinear(self.linear(hidden))


class CamPlusPlus(nn.Module):
    """CAM++: mel frames at 100 Hz to features at 50 Hz, and pooled features to an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.head = _Head()
        stages: list[tuple[str, nn.Module]] = [("tdnn", _Linear(320, 128, 5, 2, affine=True))]
        n_channels = 128
        for number, (n_layers, dilation) in enumerate(BLOCKS, start=1):
            stages.append((f"block{number}", _DenseBlock(n_channels, n_layers, dilation)))
            n_channels += n_layers * GROWTH
            stages.append((f"transit{number}", _Transit(n_channels)))
            n_channels //= 2
        stages.append(("out_nonlinear", _Norm(n_channels)))
        stages.append(("dense", _Linear(2 * n_channels, EMBEDDING, 1, 1, affine=False)))
        self.xvector = nn.ModuleDict(dict(stages))

    def frames(self, mels: Float[Tensor, "batch frame mel"]) -> Float[Tensor, "batch 512 half"]:
        """Features before pooling, every 20 ms; `mels` have zero mean over time."""
        hidden = self.head(mels.transpose(1, 2))
        for name, stage in self.xvector.items():
            if name != "dense":
                hidden = stage(hidden)
        return hidden

    def embed(self, statistics: Float[Tensor, "batch 1024"]) -> Float[Tensor, "batch 192"]:
        """Embeddings from the mean and the standard deviation of frame features."""
        return self.xvector["dense"](statistics.unsqueeze(-1)).squeeze(-1)

    def forward(self, mels: Float[Tensor, "batch frame mel"]) -> Float[Tensor, "batch 192"]:
        """One embedding a row, pooled over all its frames."""
        frames = self.frames(mels)
        return self.embed(torch.cat([frames.mean(-1), frames.std(-1, unbiased=True)], dim=1))


def load_campplus(path: Path | None = None) -> CamPlusPlus:
    """The network with its trained weights, ready to infer.

    Raises:
        MissingWeights: they are not on this machine.
        BadFile: the file holds something else.
    """
    path = find_weights("campplus", path)
    return load_trained(CamPlusPlus(), path, "CAM++ (192-d, Chinese-English)")

"""Many perceptrons side by side: the same as one after the other, wanted or all."""

import pytest
import torch
from torch import nn

from diarize.layers.perceptron import StreamPerceptron


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def made(normalised=False, widths=(4, 6, 5, 3), n_streams=3):
    """In double precision, with normalisations that have seen something."""
    perceptron = StreamPerceptron(n_streams, widths, normalised, chance()).double()
    with torch.no_grad():
        for number, one in enumerate(perceptron.parameters()):
            one += 0.3 * torch.randn(one.shape, generator=chance(number), dtype=one.dtype)
    for _ in range(3):
        perceptron(torch.randn(20, n_streams, widths[0], generator=chance(7)).double())
    return perceptron


def inputs(n_data=8, n_streams=3, width=4):
    return torch.randn(n_data, n_streams, width, generator=chance(3), dtype=torch.float64)


def alone(perceptron, stream):
    """The perceptron of one stream, of torch's own layers."""
    layers = []
    for number, (weight, bias) in enumerate(
        zip(perceptron.weights, perceptron.biases, strict=True)
    ):
        _, n_in, n_out = weight.shape
        linear = nn.Linear(n_in, n_out).double()
        linear.load_state_dict({"weight": weight[stream].T, "bias": bias[stream]})
        layers.append(linear)
        if number == len(perceptron.weights) - 1:
            break
        if perceptron.norms:
            norm, own = nn.BatchNorm1d(n_out).double(), slice(stream * n_out, (stream + 1) * n_out)
            for name, value in perceptron.norms[number].state_dict().items():
                getattr(norm, name).data.copy_(value[own] if value.ndim else value)
            layers.append(norm)
        layers.append(nn.ReLU())
    return nn.Sequential(*layers).train(perceptron.training)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("widths", [(4, 6, 5, 3), (4, 3)])
def test_streams_side_by_side_give_what_each_gives_alone(normalised, training, widths):
    perceptron = made(normalised, widths).train(training)
    streams = [alone(perceptron, stream) for stream in range(3)]
    x = inputs()
    found = perceptron(x)
    for stream in range(3):
        torch.testing.assert_close(found[:, stream], streams[stream](x[:, stream]))


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_some_gives_what_forward_does_where_wanted(normalised, share):
    perceptron = made(normalised).eval()
    x = inputs()
    wanted = torch.rand(8, 3, generator=chance(5)) < share
    stream, datum = wanted.T.nonzero(as_tuple=True)
    found = perceptron.some(x, wanted)
    torch.testing.assert_close(found, perceptron(x)[datum, stream])


@pytest.mark.parametrize("normalised", [False, True])
def test_some_has_the_gradients_that_forward_has_where_wanted(normalised):
    perceptron = made(normalised).eval()
    wanted = torch.rand(8, 3, generator=chance(5)) < 0.4
    stream, datum = wanted.T.nonzero(as_tuple=True)
    weights = torch.randn(len(datum), 3, generator=chance(6), dtype=torch.float64)
    gradients = []
    for few in (False, True):
        perceptron.zero_grad()
        x = inputs().requires_grad_()
        found = perceptron.some(x, wanted) if few else perceptron(x)[datum, stream]
        (found * weights).sum().backward()
        gradients.append([x.grad, *(one.grad for one in perceptron.parameters())])
    for mine, its in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, its)


def test_normalisations_learn_in_training_and_not_in_use():
    perceptron = made(normalised=True)
    before = perceptron.norms[0].running_mean.clone()
    perceptron.eval()(inputs())
    assert torch.equal(perceptron.norms[0].running_mean, before)
    perceptron.train()(inputs())
    assert not torch.equal(perceptron.norms[0].running_mean, before)


def test_first_weights_hang_on_the_generator_alone():
    first, again, other = (StreamPerceptron(2, (3, 4, 5), False, chance(s)) for s in (1, 1, 2))
    assert torch.equal(first.weights[1], again.weights[1])
    assert not torch.equal(first.weights[1], other.weights[1])


def test_first_weights_keep_the_size_of_what_passes():
    perceptron = StreamPerceptron(2, (300, 300, 300, 300), False, chance())
    with torch.no_grad():
        out = perceptron(torch.randn(50, 2, 300, generator=chance(1)))
    assert 0.5 < float(out.std()) < 2

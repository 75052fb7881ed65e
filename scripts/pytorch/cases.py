"""Random networks and batches to compare programs on, and how to compare."""

import torch

import reference

# Where float32 PyTorch itself is further than this from float64 (relative L2), a case is too ill-conditioned to
# hold another program to 1e-4 with it: some ReLU is on the edge and falls on one side or the other. The next seed
# is taken then.
WELL_CONDITIONED = 2e-5
SEEDS = 8


def perturb(net, generator):
    """Moves everything off its initial value: no norm is 1 and 0, no bias 0, no two layers alike."""
    for name, tensor in reference.once(net).items():
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.copy_(1 + 0.5 * noise.abs())
        elif name.endswith("num_batches_tracked"):
            tensor.fill_(5)
        elif tensor.dim() > 1:
            tensor.add_(0.25 * tensor.std() * noise)
        else:
            tensor.add_(0.1 * noise)


def log_mels(batch, frames, generator):
    """[batch, frames, 40] with the level and spread of log-mel frames, each utterance with a colour of its own."""
    colour = 2.5 * torch.randn(batch, 1, reference.MELS, generator=generator)
    return 2 * torch.randn(batch, frames, reference.MELS, generator=generator) + colour - 5


def copied(state):
    """A copy of a state dict, which the steps that follow do not change."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def draw(model, speakers, batch, frames, seed):
    """A state dict, mels [batch, frames, 40] and labels [batch] for a `model:` configuration."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = reference.SpeakerNet(model, speakers)
    with torch.no_grad():
        perturb(net, generator)
    mels = log_mels(batch, frames, generator)
    labels = torch.randint(0, speakers, (batch,), generator=generator)
    return copied(reference.once(net)), mels, labels


def network(model, speakers, state, dtype):
    """The network with this state in this precision, without dropout."""
    net = reference.SpeakerNet(model, speakers).without_dropout().to(dtype)
    reference.load_once(net, state)
    return net


def training_pass(net, mels, labels):
    """Loss, logits and gradients by name of one forward and backward in training mode."""
    net.train()
    logits = net(mels)
    loss = net.loss(logits, labels)
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    return loss.detach(), logits.detach(), gradients


def vanishing(state):
    """Ranges [start, end) of gradients that are zero on paper and rounding noise in any float32 program.

    The bias of the keys moves all scores of a query alike, the bias of a pooling score those of all frames, the
    bias before a BatchNorm all its rows: none changes the loss.
    """
    ranges = {}
    for name, tensor in state.items():
        n = tensor.numel()
        if name.endswith("self_attn.in_proj_bias"):
            ranges[name] = [n // 3, 2 * n // 3]
        elif name.endswith(("conv_module.sequential.2.bias", "_pooling.attention.bias", "_pooling.score.bias")):
            ranges[name] = [0, n]
    return ranges


def relative(found, expected, hole=None):
    """Relative L2 distance, without the elements of `hole`."""
    found, expected = found.double().flatten().clone(), expected.double().flatten().clone()
    if hole:
        found[hole[0] : hole[1]] = expected[hole[0] : hole[1]] = 0
    norm = expected.norm().item()
    return (found - expected).norm().item() / norm if norm else found.norm().item()

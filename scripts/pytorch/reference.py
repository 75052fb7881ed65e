"""The systems of the five reports in PyTorch: what speakerid-dist is held against.

    model = SpeakerNet(configuration["model"], speakers)
    logits = model(mels)                  # mels [B, T, 40] -> [B, C]
    loss = model.loss(logits, labels)

Names in the state dict are those of the reports. Shapes: B utterances, T frames, D = d_model, C speakers.
Run as a program it holds every recipe's parameter counts against recipes.json.
"""

import json
import math

import torch
from torch import nn
from torch.nn import functional as F

import configuration
import torchaudio_source

MELS = 40


class SelfAttention(nn.Module):
    """Report 004's own attention: scaled dot product, q, k and v without bias, the output with one."""

    def __init__(self, d_model, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(d_model, d_model, bias=False)
        self.k = nn.Linear(d_model, d_model, bias=False)
        self.v = nn.Linear(d_model, d_model, bias=False)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x):
        B, T, D = x.shape
        split = lambda y: y.view(B, T, self.heads, D // self.heads).transpose(1, 2)
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        weights = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(D // self.heads), dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, D))


class SharedTransformerLayer(nn.Module):
    """Report 004, task 1. The feed-forward part has no residual, and Norm2 is never used: both as reported."""

    def __init__(self, d_model, heads, feedforward, dropout):
        super().__init__()
        self.enc_self_attn = SelfAttention(d_model, heads)
        self.Norm1 = nn.LayerNorm(d_model)
        self.Norm2 = nn.LayerNorm(d_model)
        self.feedforward = nn.Sequential(nn.Linear(d_model, feedforward), nn.ReLU(), nn.Linear(feedforward, d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = self.dropout(self.Norm1(self.enc_self_attn(x) + x))
        return self.dropout(self.feedforward(x))


class ConvTransformerLayer(nn.Module):
    """Report 004, task 2: attention and feed-forward, then a gated convolution over time."""

    def __init__(self, d_model, heads, feedforward, kernel, dropout):
        super().__init__()
        self.enc_self_attn = SelfAttention(d_model, heads)
        self.Norm1 = nn.LayerNorm(d_model)
        self.Norm2 = nn.LayerNorm(d_model)
        self.feedforward = nn.Sequential(
            nn.Linear(d_model, feedforward), nn.ReLU(), nn.Linear(feedforward, d_model), nn.Dropout(dropout)
        )
        self.conv1d = nn.Conv1d(d_model, 2 * d_model, kernel, padding=kernel // 2, bias=False)
        self.linear1 = nn.Linear(d_model, feedforward)
        self.linear2 = nn.Linear(feedforward, d_model)
        self.Norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = self.Norm1(self.enc_self_attn(x) + x)
        x = self.Norm2(x + self.feedforward(x))
        residual = x
        x = F.glu(self.conv1d(x.transpose(1, 2)), dim=1).transpose(1, 2)
        x = self.linear2(F.relu(self.linear1(x)))
        return self.dropout(self.Norm3(x + residual))


class RepeatedLayer(nn.Module):
    """One layer applied n times. The state dict repeats its tensors under layers.0, layers.1, …"""

    def __init__(self, layer, n):
        super().__init__()
        self.layers = nn.ModuleList([layer] * n)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class SelfAttentionPooling(nn.Module):
    """Softmax over time of a learnt score, weighted sum; report 000's name for the score is `attention`."""

    def __init__(self, d_model):
        super().__init__()
        self.attention = nn.Linear(d_model, 1)

    def forward(self, x):
        return (F.softmax(self.attention(x), dim=1) * x).sum(dim=1)


class AttentionPooling(nn.Module):
    """The same in report 003; with `attention` units, the score is that of tanh(Linear(x))."""

    def __init__(self, d_model, attention=None):
        super().__init__()
        self.attention_proj = nn.Linear(d_model, attention) if attention else None
        self.score = nn.Linear(attention or d_model, 1)

    def forward(self, x):
        scored = torch.tanh(self.attention_proj(x)) if self.attention_proj else x
        return (F.softmax(self.score(scored), dim=1) * x).sum(dim=1)


class CosineLinear(nn.Module):
    """s · cos(embedding, class weight): the last layer under AM-softmax. It has a weight and no bias."""

    def __init__(self, d_model, speakers, scale):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(speakers, d_model))
        nn.init.xavier_normal_(self.weight)
        self.scale = scale

    def forward(self, x):
        return self.scale * F.linear(F.normalize(x), F.normalize(self.weight))


class SpeakerNet(nn.Module):
    """prenet, encoder, pooling, head, and the loss that goes with them."""

    def __init__(self, model, speakers):
        super().__init__()
        d_model, encoder, pooling = model["d_model"], model["encoder"], model["pooling"]
        kind, layers, heads, dropout = encoder["kind"], encoder["layers"], encoder["heads"], encoder["dropout"]
        self.prenet = nn.Linear(MELS, d_model)

        if kind == "transformer":
            layer = nn.TransformerEncoderLayer(
                d_model, heads, dim_feedforward=encoder["feedforward"], dropout=dropout, batch_first=True
            )
            if layers == 1:
                self.encoder_layer = layer
            else:
                self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        elif kind == "conformer":
            self.conformer = torchaudio_source.conformer_class()(
                input_dim=d_model,
                num_heads=heads,
                ffn_dim=encoder["feedforward"],
                num_layers=layers,
                depthwise_conv_kernel_size=encoder["kernel"],
                dropout=dropout,
            )
        elif kind == "shared_transformer":
            self.encoder = RepeatedLayer(
                SharedTransformerLayer(d_model, heads, encoder["feedforward"], dropout), layers
            )
        elif kind == "conv_transformer":
            self.encoder = RepeatedLayer(
                ConvTransformerLayer(d_model, heads, encoder["feedforward"], encoder["kernel"], dropout), layers
            )
        else:
            raise ValueError(f"model.encoder.kind: {kind}")

        if pooling["kind"] == "sap" and pooling["name"] == "self_attention_pooling":
            self.self_attention_pooling = SelfAttentionPooling(d_model)
        elif pooling["kind"] == "sap":
            self.attention_pooling = AttentionPooling(d_model)
        elif pooling["kind"] == "sap_full":
            self.attention_pooling = AttentionPooling(d_model, pooling["attention"])
        elif pooling["kind"] != "mean":
            raise ValueError(f"model.pooling.kind: {pooling['kind']}")

        loss = model["loss"]
        if loss["kind"] == "am_softmax":
            self.scaled_margin = loss["scale"] * loss["margin"]
            last = CosineLinear(d_model, speakers, loss["scale"])
        elif loss["kind"] == "cross_entropy":
            self.scaled_margin = None
            last = nn.Linear(d_model, speakers)
        else:
            raise ValueError(f"model.loss.kind: {loss['kind']}")

        if model["head"] == "mlp_relu":
            self.pred_layer = nn.Sequential(nn.Linear(d_model, d_model), nn.ReLU(), last)
        elif model["head"] == "mlp_sigmoid":
            self.pred_layer = nn.Sequential(nn.Linear(d_model, d_model), nn.Sigmoid(), last)
        elif model["head"] == "linear":
            self.pred_layer = last
        elif model["head"] == "bn_linear":
            self.pred_layer = nn.Sequential(nn.BatchNorm1d(d_model), last)
        else:
            raise ValueError(f"model.head: {model['head']}")

    @property
    def encoder_module(self):
        """The encoder, under whichever name its report gives it."""
        for name in ("encoder_layer", "encoder", "conformer"):
            if hasattr(self, name):
                return getattr(self, name)

    def encode(self, x):
        """[B, T, D] -> [B, T, D]. The utterances of a batch have one length, so nothing is masked."""
        if hasattr(self, "conformer"):
            lengths = torch.full((x.shape[0],), x.shape[1], dtype=torch.long)
            return self.conformer(x, lengths)[0]
        return self.encoder_module(x)

    def pool(self, x):
        """[B, T, D] -> [B, D]."""
        for name in ("self_attention_pooling", "attention_pooling"):
            if hasattr(self, name):
                return getattr(self, name)(x)
        return x.mean(dim=1)

    def forward(self, mels):
        """[B, T, 40] -> logits [B, C]; under AM-softmax s · cos, without the margin."""
        return self.pred_layer(self.pool(self.encode(self.prenet(mels))))

    def loss(self, logits, labels):
        """Mean over the batch; AM-softmax takes s · m from the target's logit first."""
        if self.scaled_margin is not None:
            logits = logits - self.scaled_margin * F.one_hot(labels, logits.shape[1])
        return F.cross_entropy(logits, labels)

    def without_dropout(self):
        """Switches dropout off for good and leaves training mode alone: BatchNorm still uses the batch."""
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
            elif isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
        return self


def once(model):
    """The state dict with a tensor that has several names (a repeated layer) under its first only."""
    result, seen = {}, set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            result[name] = tensor.detach()
    return result


def load_once(model, state):
    """Loads what `once` returns; names that are missing although nothing shares their tensor are errors."""
    full, by_identity = {}, {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        first = by_identity.setdefault(id(tensor), name)
        if first not in state:
            raise KeyError(f"no tensor {first} for this model")
        full[name] = state[first]
    unknown = set(state) - set(full)
    if unknown:
        raise KeyError(f"tensors that this model does not have: {sorted(unknown)}")
    model.load_state_dict(full, strict=True)


def parameter_count(module):
    """Trainable numbers, a shared one counted once."""
    return sum(parameter.numel() for parameter in module.parameters())


def main():
    path = configuration.REPOSITORY / "Tests/SpeakerNetTests/Fixtures/recipes.json"
    counted = {recipe["name"]: recipe for recipe in json.loads(path.read_text())}
    shipped = configuration.recipes()
    wrong = set(counted) ^ set(shipped)
    for name in wrong:
        print(f"{name}: in only one of configs/ and recipes.json")
    for name in sorted(set(counted) & set(shipped)):
        model = SpeakerNet(shipped[name]["configuration"]["model"], speakers=600)
        found = (parameter_count(model), parameter_count(model.encoder_module))
        expected = (counted[name]["params_total"], counted[name]["params_encoder"])
        print(f"{name:22} {found[0]:>9,} {found[1]:>9,}  {'ok' if found == expected else f'EXPECTED {expected}'}")
        if found != expected:
            wrong.add(name)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()

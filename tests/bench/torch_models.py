"""The networks of the comparison in PyTorch: parameters are named as the model files of this folder name them, so that one file of
weights fits both."""
import json
import math
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F

DTYPES = {"F32": torch.float32, "I32": torch.int32}


def read_safetensors(path):
    """Tensors by name; what is neither f32 nor i32 is left out."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    out = {}
    for name, t in header.items():
        if name == "__metadata__" or t["dtype"] not in DTYPES:
            continue
        begin, end = t["data_offsets"]
        out[name] = torch.frombuffer(bytearray(data[8 + size + begin:8 + size + end]), dtype=DTYPES[t["dtype"]]).reshape(t["shape"])
    return out


def write_safetensors(path, tensors):
    header, offset, chunks = {}, 0, []
    for name, t in tensors.items():
        chunks.append(t.contiguous().numpy().tobytes())
        dtype = next(k for k, v in DTYPES.items() if v == t.dtype)
        header[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [offset, offset + len(chunks[-1])]}
        offset += len(chunks[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))


class W1(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.fc1 = nn.Linear(5408, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class W2(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class ConvBn(nn.Module):
    def __init__(self, inputs, channels, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return self.bn(self.conv(x))


class Residual(nn.Module):
    def __init__(self, inputs, channels, stride=1):
        super().__init__()
        self.a = ConvBn(inputs, channels, stride)
        self.b = ConvBn(channels, channels)
        self.shortcut = nn.Conv2d(inputs, channels, 1, stride=stride, bias=False) if stride != 1 or inputs != channels else nn.Identity()

    def forward(self, x):
        return F.relu(self.b(F.relu(self.a(x))) + self.shortcut(x))


class W3(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = ConvBn(3, 16)
        self.stage1 = nn.Sequential(Residual(16, 16), Residual(16, 16), Residual(16, 16))
        self.stage2 = nn.Sequential(Residual(16, 32, 2), Residual(32, 32), Residual(32, 32))
        self.stage3 = nn.Sequential(Residual(32, 64, 2), Residual(64, 64), Residual(64, 64))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stage3(self.stage2(self.stage1(F.relu(self.stem(x)))))
        return self.fc(x.mean((2, 3)))


LAYERS, HEADS, WIDTH, VOCABULARY, WINDOW = 6, 6, 384, 256, 256


class Attention(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH)
        self.c_proj = nn.Linear(WIDTH, WIDTH)
        self.dropout = dropout
        self.register_buffer("future", torch.ones(WINDOW, WINDOW, dtype=torch.bool).triu(1), persistent=False)

    def forward(self, x):
        n, t, w = x.shape
        q, k, v = (y.view(n, t, HEADS, w // HEADS).transpose(1, 2) for y in self.c_attn(x).split(WIDTH, 2))
        scores = (q @ k.transpose(-1, -2)) * (1 / math.sqrt(w // HEADS))
        scores = scores.masked_fill(self.future[:t, :t], -math.inf)
        weights = F.dropout(scores.softmax(-1), self.dropout, self.training)
        return F.dropout(self.c_proj((weights @ v).transpose(1, 2).reshape(n, t, w)), self.dropout, self.training)


class Mlp(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.c_fc = nn.Linear(WIDTH, 4 * WIDTH)
        self.c_proj = nn.Linear(4 * WIDTH, WIDTH)
        self.dropout = dropout

    def forward(self, x):
        return F.dropout(self.c_proj(F.gelu(self.c_fc(x))), self.dropout, self.training)


class Block(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.attn = Attention(dropout)
        self.ln_2 = nn.LayerNorm(WIDTH)
        self.mlp = Mlp(dropout)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class W4(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.wte = nn.Embedding(VOCABULARY, WIDTH)
        self.wpe = nn.Embedding(WINDOW, WIDTH)
        self.h = nn.ModuleList(Block(dropout) for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.dropout = dropout
        self.register_buffer("position", torch.arange(WINDOW), persistent=False)

    def forward(self, tokens):
        x = F.dropout(self.wte(tokens) + self.wpe(self.position[:tokens.shape[1]]), self.dropout, self.training)
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight)


class HandLstm(nn.Module):
    """nn.LSTM's parameters and formulas, one product for all inputs and one a step."""

    def __init__(self, inputs, units):
        super().__init__()
        b = 1 / math.sqrt(units)
        for name, shape in {"weight_ih_l0": (4 * units, inputs), "weight_hh_l0": (4 * units, units), "bias_ih_l0": (4 * units,),
                            "bias_hh_l0": (4 * units,)}.items():
            setattr(self, name, nn.Parameter(torch.empty(shape).uniform_(-b, b)))
        self.units = units

    def forward(self, x):
        inputs = F.linear(x, self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0).unbind(1)
        h = c = x.new_zeros(x.shape[0], self.units)
        for step in inputs:
            i, f, g, o = torch.addmm(step, h, self.weight_hh_l0.t()).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h


class W6(nn.Module):
    def __init__(self, by_hand=False):
        super().__init__()
        self.cell = HandLstm(28, 128) if by_hand else nn.LSTM(28, 128, batch_first=True)
        self.fc = nn.Linear(128, 10)
        self.by_hand = by_hand

    def forward(self, x):
        return self.fc(self.cell(x) if self.by_hand else self.cell(x)[0][:, -1])

"""Qwen3 for training: many short documents behind shared beginnings, computed once.

The same sums as transformers' Qwen3ForCausalLM with the official prompt, in another order: a batch is one prefix
(system turn and instruction), a few queries that follow it, and the documents of each query in groups of like length.
All tokens go through the matrices together; only attention looks at who follows whom.
"""

import json
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e12,  # so that most of a head is for what a token says, not where it stands
    "vocab_size": 24_064,
}


@dataclass
class Group:
    """Documents of like length: ids (n, t) padded on the right, the query each belongs to, and their lengths."""

    ids: torch.Tensor
    query: torch.Tensor
    length: torch.Tensor


@dataclass
class Batch:
    """One prefix (p,), queries (l, q) padded on the right with their lengths (l,), and groups of documents."""

    prefix: torch.Tensor
    queries: torch.Tensor
    lengths: torch.Tensor
    groups: list[Group]


class Norm(nn.RMSNorm):
    """RMS norm in its input's precision (a fused kernel; with mixed ones there is none)."""

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding, halves paired as Qwen3 has them. x: (tokens, heads, d), cos and sin: (tokens, 1, d / 2)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Layer(nn.Module):
    """One layer; its parameters bear the names of the checkpoint."""

    def __init__(self, c: dict):
        super().__init__()
        self.heads, self.kv, self.d = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        h, inner, eps = c["hidden_size"], c["intermediate_size"], c["rms_norm_eps"]
        linear = partial(nn.Linear, bias=False)
        self.input_layernorm = Norm(h, eps)
        self.post_attention_layernorm = Norm(h, eps)
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": linear(h, self.heads * self.d),
                "k_proj": linear(h, self.kv * self.d),
                "v_proj": linear(h, self.kv * self.d),
                "o_proj": linear(self.heads * self.d, h),
                "q_norm": Norm(self.d, eps),
                "k_norm": Norm(self.d, eps),
            }
        )
        self.mlp = nn.ModuleDict(
            {"gate_proj": linear(h, inner), "up_proj": linear(h, inner), "down_proj": linear(inner, h)}
        )

    def forward(self, x, cos, sin, attend, rows=slice(None)):
        """`rows` are the tokens whose output is wanted, and whose attention `attend` computes."""
        k, v, y = self.told(x, cos, sin)
        q = self.asked(y[rows], cos[rows], sin[rows])
        return self.after(x[rows], attend(q, k, v))

    def told(self, x, cos, sin):
        """Keys and values, (tokens, heads, d) each, and the normed input."""
        at, n = self.self_attn, x.shape[0]
        y = self.input_layernorm(x)
        v = at["v_proj"](y).view(n, self.kv, self.d)
        k = rotate(at["k_norm"](at["k_proj"](y).view(n, self.kv, self.d)), cos, sin)
        return k.to(v.dtype), v, y

    def asked(self, y, cos, sin):
        """Queries, (tokens, heads, d)."""
        q = self.self_attn["q_proj"](y)
        return rotate(self.self_attn["q_norm"](q.view(len(y), self.heads, self.d)), cos, sin).to(q.dtype)

    def after(self, x, found):
        """The layer's output, of its input and of what attention found."""
        x = x + self.self_attn["o_proj"](found.reshape(x.shape[0], -1))
        y = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](y)) * self.mlp["up_proj"](y))


class Reranker(nn.Module):
    """Log-odds of yes against no for each document of a batch."""

    def __init__(self, config: dict = CONFIG):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = Norm(config["hidden_size"], config["rms_norm_eps"])
        # lm_head's two rows, no and yes; all others are zero and are not trained.
        self.answers = nn.Parameter(torch.zeros(2, config["hidden_size"]))

    def compile_parts(self):
        """Makes what stands between products of matrices one kernel each: a step takes a quarter less time."""
        torch._dynamo.config.recompile_limit = 64  # one for each kind of shape
        for name in ("told", "asked", "after"):
            part = torch.compile(getattr(Layer, name), dynamic=True)
            for layer in self.layers:
                setattr(layer, name, partial(part, layer))
        Layout.weigh = torch.compile(Layout.weigh, dynamic=True)

    def forward(self, batch: Batch) -> list[torch.Tensor]:
        """The log-odds of each group's documents, (n,) f32 each."""
        return [vectors @ (self.answers[1] - self.answers[0]) for vectors in self.vectors(batch)]

    def vectors(self, batch: Batch) -> list[torch.Tensor]:
        """What the head reads: each group's normed last tokens, (n, hidden) f32 each."""
        return self.states(batch)[0]

    def states(self, batch: Batch) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """What the head reads, (n, hidden) f32 for each group, and `means`."""
        layout = Layout(batch, self.config)
        *most, last = self.layers
        x = self.through(most, layout)
        means = self.split(x[layout.gathering].float(), layout)
        # The head reads the last tokens alone.
        x = last(x, layout.cos, layout.sin, layout.attend_ends, layout.ends)
        return [self.norm(tokens) for tokens in x.float().split(layout.counts)], means

    def means(self, batch: Batch) -> list[torch.Tensor]:
        """What the token `<Document` of each query, and each group's last tokens, hold before the last layer: the means
        that it compares. (n, hidden) f32 each."""
        layout = Layout(batch, self.config)
        *most, gather, _ = self.layers
        x = self.through(most, layout)
        x = gather(x, layout.cos, layout.sin, layout.attend_gathering, layout.gathering)
        return self.split(x.float(), layout)

    def through(self, layers: list[Layer], layout: "Layout") -> torch.Tensor:
        x = self.embed_tokens(layout.ids)
        for layer in layers:
            x = layer(x, layout.cos, layout.sin, layout.attend)
        return x

    @staticmethod
    def split(x: torch.Tensor, layout: "Layout") -> list[torch.Tensor]:
        return list(x.split([layout.count, *layout.counts]))


class Layout:
    """Where each part of a batch lies in the one long row of tokens, its positions, and its attention."""

    def __init__(self, batch: Batch, config: dict):
        self.batch = batch
        p, (count, q) = len(batch.prefix), batch.queries.shape
        self.p, self.count, self.q = p, count, q
        self.kv, self.d, self.repeat = (
            config["num_key_value_heads"],
            config["head_dim"],
            config["num_attention_heads"] // config["num_key_value_heads"],
        )
        self.ids = torch.cat([batch.prefix, batch.queries.flatten(), *[group.ids.flatten() for group in batch.groups]])
        self.sizes = [p, count * q, *[group.ids.numel() for group in batch.groups]]
        positions = [torch.arange(p), (p + torch.arange(q)).repeat(count)]
        for group in batch.groups:
            start = p + batch.lengths[group.query]
            positions.append((start[:, None] + torch.arange(group.ids.shape[1])).flatten())
        frequency = config["rope_theta"] ** (-torch.arange(0, self.d, 2) / self.d)
        angle = torch.cat(positions)[:, None, None] * frequency
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        self.cos, self.sin = angle.cos().to(dtype), angle.sin().to(dtype)
        key = torch.arange(q) < batch.lengths[:, None]
        self.masks = [(torch.ones(p, p).tril() > 0)[None, None]]
        self.masks.append(
            torch.cat([torch.ones(count, q, p) > 0, ((torch.ones(q, q).tril() > 0) & key[:, None])], dim=-1)[:, None]
        )
        for group in batch.groups:
            n, t = group.ids.shape
            before = torch.cat([torch.ones(n, p) > 0, key[group.query]], dim=-1)[:, None].expand(n, t, p + q)
            self.masks.append(torch.cat([before, (torch.ones(t, t).tril() > 0).expand(n, t, t)], dim=-1)[:, None])
        self.masks = [torch.zeros(mask.shape).masked_fill(~mask, -30_000.0) for mask in self.masks]

        starts = [sum(self.sizes[:index]) for index in range(len(self.sizes))]
        self.counts = [len(group.ids) for group in batch.groups]
        # Each document's last token, and before them the tokens `<Document`.
        places = zip(starts[2:], batch.groups, strict=True)
        self.ends = torch.cat([start + torch.arange(len(g.ids)) * g.ids.shape[1] + g.length - 1 for start, g in places])
        self.gathering = torch.cat([starts[1] + torch.arange(count) * q + batch.lengths - 2, self.ends])

    def attend(self, q, k, v):
        """Attention of every part over what stands before it. (tokens, heads, d) each."""
        parts = zip(q.split(self.sizes), self.seen(k, v), self.masks, strict=True)
        return torch.cat([self.weigh(own, *seen, mask) for own, seen, mask in parts])

    def attend_ends(self, q, k, v):
        """The same of the documents' last tokens alone: q is (documents, heads, d)."""
        seen = list(self.seen(k, v))[2:]
        return torch.cat([self.weigh(*part) for part in self.parts(q, seen, self.masks[2:], self.lasts()[1:])])

    def attend_gathering(self, q, k, v):
        """The same of the tokens `<Document` and the documents' last: q is (queries + documents, heads, d)."""
        seen = list(self.seen(k, v))[1:]
        return torch.cat([self.weigh(*part) for part in self.parts(q, seen, self.masks[1:], self.lasts())])

    def lasts(self) -> list[torch.Tensor]:
        """Which of its tokens each row of a part asks with alone."""
        return [self.batch.lengths - 2, *[group.length - 1 for group in self.batch.groups]]

    @staticmethod
    def parts(q, seen: list, masks: list, lasts: list):
        """What `weigh` takes, of parts with one query to each row."""
        own = q.split([len(last) for last in lasts])
        for part, (k, v), mask, last in zip(own, seen, masks, lasts, strict=True):
            yield part, k, v, mask[torch.arange(len(last)), :, last][:, :, None]

    def seen(self, k, v):
        """Keys and values that each part sees: (n, tokens, heads, d) each."""
        parts = list(zip(k.split(self.sizes), v.split(self.sizes), strict=True))
        prefix = [x[None] for x in parts[0]]
        yield prefix
        asked = [x.view(self.count, self.q, self.kv, self.d) for x in parts[1]]
        before = [x.expand(self.count, -1, -1, -1) for x in prefix]
        yield [torch.cat(both, dim=1) for both in zip(before, asked, strict=True)]
        for group, own in zip(self.batch.groups, parts[2:], strict=True):
            n = len(group.ids)
            whole = zip(prefix, asked, own, strict=True)
            yield [
                torch.cat([b.expand(n, -1, -1, -1), a[group.query], x.view(n, -1, self.kv, self.d)], dim=1)
                for b, a, x in whole
            ]

    def weigh(self, q, k, v, mask):
        """Attention of n · t queries over n rows of keys and values."""
        # The query heads of one key head stand below each other: (n kv, repeat t, d). Thrice as fast on CPUs as
        # scaled_dot_product_attention with its backward pass.
        n = len(k)
        keys, values = [x.transpose(1, 2).reshape(n * self.kv, -1, self.d) for x in (k, v)]
        rows = q.view(n, -1, self.kv, self.repeat, self.d).permute(0, 2, 3, 1, 4)
        t = rows.shape[3]
        rows = rows.reshape(n * self.kv, -1, self.d)
        bias = mask.to(rows.dtype)[:, :, None].expand(n, self.kv, self.repeat, t, -1).reshape(*rows.shape[:2], -1)
        weights = torch.baddbmm(bias, rows, keys.transpose(1, 2), alpha=self.d**-0.5).softmax(-1)
        found = torch.bmm(weights, values).view(n, self.kv, self.repeat, t, self.d)
        return found.permute(0, 3, 1, 2, 4).reshape(n * t, -1, self.d)


def checkpoint(model: Reranker, yes: int, no: int) -> dict[str, torch.Tensor]:
    """The tensors under Qwen3ForCausalLM's names, f32."""
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items() if name != "answers"}
    head = torch.zeros_like(state["model.embed_tokens.weight"])
    head[no], head[yes] = model.answers.detach()
    return {**state, "lm_head.weight": head}


def config_json(config: dict) -> str:
    """config.json of the checkpoint folder."""
    rope = {"rope_type": "default", "rope_theta": config["rope_theta"]}
    rest = {key: value for key, value in config.items() if key != "rope_theta"}
    fixed = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "max_position_embeddings": 40960,
        "rope_theta": config["rope_theta"],
        "rope_parameters": rope,
        "use_sliding_window": False,
        "sliding_window": None,
        "dtype": "float32",
    }
    return json.dumps({**fixed, **rest}, indent=1)

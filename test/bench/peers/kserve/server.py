"""KServe's Python server with a model that calls onnxruntime. It has no batching of its own (KServe's batcher is a sidecar)."""
import os

import onnxruntime as ort
from kserve import InferOutput, InferResponse, Model, ModelServer


class Onnx(Model):
    def __init__(self):
        super().__init__("m")
        self.load()

    def load(self):
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(os.environ["BENCH_THREADS"])
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
        self.outputs = [value.name for value in self.session.get_outputs()]
        self.ready = True
        return True

    async def predict(self, payload, headers=None, response_headers=None):
        results = self.session.run(self.outputs, {entry.name: entry.as_numpy() for entry in payload.inputs})
        outputs = []
        for name, result in zip(self.outputs, results):
            output = InferOutput(name=name, shape=list(result.shape), datatype="FP32")
            output.set_data_from_numpy(result, binary_data=payload.use_binary_outputs)
            outputs.append(output)
        return InferResponse(
            # Its answers are invalid without one.
            response_id=payload.id or "none",
            model_name=self.name,
            infer_outputs=outputs,
            use_binary_outputs=payload.use_binary_outputs,
        )


if __name__ == "__main__":
    ModelServer().start([Onnx()])

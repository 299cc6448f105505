"""LitServe with its own batching."""
import os

import litserve as ls
import numpy as np
import onnxruntime as ort

TYPES = {"FP32": np.float32, "INT64": np.int64}


class Onnx(ls.LitAPI):
    def setup(self, device):
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(os.environ["BENCH_THREADS"])
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
        self.outputs = [value.name for value in self.session.get_outputs()]

    def decode_request(self, request):
        # Without the batch axis: `batch` stacks them.
        return {
            entry["name"]: np.array(entry["data"], TYPES[entry["datatype"]]).reshape(entry["shape"][1:])
            for entry in request["inputs"]
        }

    def batch(self, inputs):
        return {name: np.stack([feeds[name] for feeds in inputs]) for name in inputs[0]}

    def predict(self, feeds):
        return self.session.run(self.outputs, feeds)

    def unbatch(self, results):
        return list(zip(*results))

    def encode_response(self, results):
        return {
            "outputs": [
                {"name": name, "datatype": "FP32", "shape": [1, *result.shape], "data": result.ravel().tolist()}
                for name, result in zip(self.outputs, results)
            ]
        }


if __name__ == "__main__":
    server = ls.LitServer(
        Onnx(max_batch_size=32, batch_timeout=0.001, api_path="/v2/models/m/infer"),
        accelerator="cpu",
        workers_per_device=int(os.environ["BENCH_WORKERS"]),
        fast_queue=True,
    )
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_HTTP_PORT"]), log_level="warning", generate_client_file=False)

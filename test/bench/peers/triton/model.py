"""onnxruntime in Triton's Python backend: a batch is made of the requests that Triton hands over together."""
import json

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(parameters["threads"]["string_value"])
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        file = parameters["file"]["string_value"]
        self.session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def execute(self, requests):
        parts = [
            [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs]
            for request in requests
        ]
        if len(parts) == 1:
            feeds = dict(zip(self.inputs, parts[0]))
        else:
            feeds = {name: np.concatenate([part[at] for part in parts]) for at, name in enumerate(self.inputs)}
        results = self.session.run(self.outputs, feeds)
        responses, row = [], 0
        for part in parts:
            end = row + part[0].shape[0]
            responses.append(
                pb_utils.InferenceResponse(
                    [pb_utils.Tensor(name, result[row:end]) for name, result in zip(self.outputs, results)]
                )
            )
            row = end
        return responses

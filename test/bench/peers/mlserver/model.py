"""onnxruntime as a custom runtime of MLServer, which batches by itself (adaptive batching)."""
import onnxruntime as ort
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Onnx(MLModel):
    async def load(self) -> bool:
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(self.settings.parameters.extra["threads"])
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        file = self.settings.parameters.uri
        self.session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.names = [value.name for value in self.session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feeds = {entry.name: NumpyCodec.decode_input(entry) for entry in payload.inputs}
        results = self.session.run(self.names, feeds)
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(name, result) for name, result in zip(self.names, results)],
        )

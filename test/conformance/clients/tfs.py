"""The stubs of tensorflow-serving-api over gRPC, and TensorFlow Serving's REST API."""
import base64
import json
import math
import urllib.error
import urllib.request

import grpc
import numpy as np

import tensorflow_protos  # noqa: F401  before tensorflow_serving: its modules need TensorFlow's
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from checks import PATIENCE, check, equal, expect, run, servers
from tensors import ALL, same

plain = servers["plain"]
numbers = servers["numbers"]
stubs = {
    name: prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server["grpc"]))
    for name, server in servers.items()
}
statuses = model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(plain["grpc"]))

DTYPES = {
    "BOOL": ("DT_BOOL", "bool_val"),
    "UINT8": ("DT_UINT8", "int_val"),
    "UINT16": ("DT_UINT16", "int_val"),
    "UINT32": ("DT_UINT32", "uint32_val"),
    "UINT64": ("DT_UINT64", "uint64_val"),
    "INT8": ("DT_INT8", "int_val"),
    "INT16": ("DT_INT16", "int_val"),
    "INT32": ("DT_INT32", "int_val"),
    "INT64": ("DT_INT64", "int64_val"),
    "FP16": ("DT_HALF", "half_val"),
    "FP32": ("DT_FLOAT", "float_val"),
    "FP64": ("DT_DOUBLE", "double_val"),
    "BYTES": ("DT_STRING", "string_val"),
}


def to_proto(kind, array, content):
    """As tf.make_tensor_proto does: the bytes where `content`, else typed values."""
    name, field = DTYPES[kind]
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(name))
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if content and kind != "BYTES":
        proto.tensor_content = array.tobytes()
    else:
        getattr(proto, field).extend((array.view(np.uint16) if kind == "FP16" else array).flatten().tolist())
    return proto


def to_array(kind, proto):
    name, field = DTYPES[kind]
    equal(types_pb2.DataType.Name(proto.dtype), name, "type")
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    dtype = ALL[kind].dtype
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    values = list(getattr(proto, field))
    array = np.array(values, np.uint16).view(np.float16) if kind == "FP16" else np.array(values, dtype)
    # As tf.make_ndarray does: one value stands for all.
    return np.resize(array, shape) if len(values) == 1 else array.reshape(shape)


def predict(name, tensors, content=True, **options):
    request = predict_pb2.PredictRequest(**options)
    request.model_spec.name = name
    for key, (kind, array) in tensors.items():
        request.inputs[key].CopyFrom(to_proto(kind, array, content))
    return request


def refused(code, words, call):
    try:
        call()
    except grpc.RpcError as error:
        equal(error.code(), code, error.details())
        expect(words in error.details(), f"{words!r} is not in {error.details()}")
        return
    raise AssertionError("it was not refused")


for content in (True, False):

    def every_type(content=content):
        request = predict("types", {kind: (kind, array) for kind, array in ALL.items()}, content)
        answer = stubs["types"].Predict(request, timeout=PATIENCE)
        for kind, array in ALL.items():
            got = to_array(kind, answer.outputs[f"{kind}.out"])
            expect(same(got, array), f"{kind}: {got}")

    check(f"Predict: every type, {'tensor_content' if content else 'typed values'}")(every_type)


@check("Predict: too few values, the last one stands for the rest")
def _():
    request = predict("plain", {})
    request.inputs["x"].CopyFrom(to_proto("FP32", np.zeros((2, 4), np.float32), True))
    request.inputs["x"].ClearField("tensor_content")
    request.inputs["x"].float_val.extend([1, 2])
    answer = stubs["plain"].Predict(request, timeout=PATIENCE)
    expect(same(to_array("FP32", answer.outputs["x.out"]), np.array([[1, 2, 2, 2], [2, 2, 2, 2]], np.float32)), answer)


@check("Predict: signature, version, output_filter, and the model_spec of the answer")
def _():
    request = predict("types", {kind: (kind, array) for kind, array in ALL.items()}, output_filter=["INT8.out"])
    request.model_spec.signature_name = "serving_default"
    request.model_spec.version.value = 1
    answer = stubs["types"].Predict(request, timeout=PATIENCE)
    equal(list(answer.outputs), ["INT8.out"])
    equal((answer.model_spec.name, answer.model_spec.version.value), ("types", 1))


@check("Predict: errors name what is wrong")
def _():
    x = {"x": ("FP32", np.zeros((1, 4), np.float32))}
    code = grpc.StatusCode
    refused(code.NOT_FOUND, "other", lambda: stubs["plain"].Predict(predict("other", x), timeout=PATIENCE))
    version = predict("plain", x)
    version.model_spec.version.value = 7
    refused(code.NOT_FOUND, "7", lambda: stubs["plain"].Predict(version, timeout=PATIENCE))
    refused(code.INVALID_ARGUMENT, "x", lambda: stubs["plain"].Predict(predict("plain", {}), timeout=PATIENCE))
    integer = predict("plain", {"x": ("INT32", np.zeros((1, 4), np.int32))})
    refused(code.INVALID_ARGUMENT, "x", lambda: stubs["plain"].Predict(integer, timeout=PATIENCE))


@check("Predict: the client's deadline")
def _():
    request = predict("loop", {"n": ("INT64", np.array(2**62))})
    refused(grpc.StatusCode.DEADLINE_EXCEEDED, "", lambda: stubs["loop"].Predict(request, timeout=0.5))


def examples_of(request, feature, rows):
    for row in rows:
        example = request.input.example_list.examples.add()
        example.features.feature[feature].float_list.value.extend(row)
    return request


@check("Classify: a row of scores for each example")
def _():
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "plain"
    answer = stubs["plain"].Classify(examples_of(request, "x", [[1, 2, 3, 4], [5, 6, 7, 8]]), timeout=PATIENCE)
    scores = [[one.score for one in row.classes] for row in answer.result.classifications]
    equal(scores, [[1, 2, 3, 4], [5, 6, 7, 8]])


@check("Regress: a value for each example")
def _():
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = "numbers"
    answer = stubs["numbers"].Regress(examples_of(request, "x", [[1.5], [2.5]]), timeout=PATIENCE)
    equal([one.value for one in answer.result.regressions], [1.5, 2.5])


@check("GetModelMetadata: signature_def")
def _():
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "plain"
    answer = stubs["plain"].GetModelMetadata(request, timeout=PATIENCE)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    expect(answer.metadata["signature_def"].Unpack(signatures), "it is no SignatureDefMap")
    x = signatures.signature_def["serving_default"].inputs["x"]
    equal((types_pb2.DataType.Name(x.dtype), [one.size for one in x.tensor_shape.dim]), ("DT_FLOAT", [-1, 4]))


@check("GetModelStatus")
def _():
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "plain"
    answer = statuses.GetModelStatus(request, timeout=PATIENCE)
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    equal([(one.version, one.state) for one in answer.model_version_status], [(1, available)])


def rest(server, path, body=None):
    """Status and answer, whose bare NaN and Infinity Python reads."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{server['http']}/v1/models/{server['model']}{path}", data)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@check("REST: rows")
def _():
    rows = [[1, 2, 3, 4], [5, 6, 7, 8]]
    equal(rest(plain, ":predict", {"instances": rows}), (200, {"predictions": rows}))
    equal(rest(plain, ":predict", {"instances": [{"x": row} for row in rows]}), (200, {"predictions": rows}))
    equal(rest(plain, "/versions/1:predict", {"instances": rows}), (200, {"predictions": rows}))


@check("REST: columns")
def _():
    rows = [[1, 2, 3, 4], [5, 6, 7, 8]]
    equal(rest(plain, ":predict", {"inputs": rows}), (200, {"outputs": rows}))
    equal(rest(plain, ":predict", {"inputs": {"x": rows}}), (200, {"outputs": rows}))


@check("REST: NaN and Infinity both ways")
def _():
    status, answer = rest(plain, ":predict", {"instances": [[math.nan, math.inf, -math.inf, 0]]})
    equal(status, 200, answer)
    nan, *others = answer["predictions"][0]
    expect(math.isnan(nan) and others == [math.inf, -math.inf, 0], answer)


@check("REST: every type but FP16 in columns, texts as b64")
def _():
    inputs = {kind: array.tolist() for kind, array in ALL.items() if kind not in ("BYTES", "FP16")}
    inputs["BYTES"] = [{"b64": base64.b64encode(text).decode()} for text in ALL["BYTES"]]
    status, answer = rest(servers["typed"], ":predict", {"inputs": inputs})
    equal(status, 200, answer)
    exact = [kind for kind in ALL if kind.startswith(("INT", "UINT", "BOOL"))]
    equal({kind: answer["outputs"][f"{kind}.out"] for kind in exact}, {kind: inputs[kind] for kind in exact})
    equal(answer["outputs"]["BYTES.out"], [text.decode() for text in ALL["BYTES"]])


@check("REST: classify and regress")
def _():
    status, answer = rest(plain, ":classify", {"examples": [{"x": [1.0, 2.0, 3.0, 4.0]}]})
    equal(status, 200, answer)
    equal([score for _, score in answer["results"][0]], [1, 2, 3, 4])
    equal(rest(numbers, ":regress", {"examples": [{"x": 1.5}, {"x": 2.5}]}), (200, {"results": [1.5, 2.5]}))


@check("REST: status and metadata")
def _():
    status, answer = rest(plain, "")
    equal((status, answer["model_version_status"][0]["state"]), (200, "AVAILABLE"))
    status, answer = rest(plain, "/metadata")
    equal((status, answer["model_spec"]["name"]), (200, "plain"))
    expect("serving_default" in answer["metadata"]["signature_def"]["signature_def"], answer)


@check("REST: errors name what is wrong")
def _():
    for body in ({"instances": [[1, 2, 3]]}, {"instances": [], "inputs": []}, {}, {"instances": [["a", "b", "c", "d"]]}):
        status, answer = rest(plain, ":predict", body)
        equal(status, 400, body)
        expect(answer["error"], body)
    equal(rest({**plain, "model": "other"}, ":predict", {"instances": []})[0], 404)
    equal(rest(plain, "/versions/7")[0], 404)


run()

"""tritonclient's gRPC client: calls, streams, and asyncio."""
import asyncio
import queue
import threading
import time

import grpc
import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from checks import PATIENCE, check, equal, expect, run, servers, until_it_runs
from tensors import ALL, same

types = servers["types"]
plain = servers["plain"]
loop = servers["loop"]
client = triton.InferenceServerClient(types["grpc"])
plain_client = triton.InferenceServerClient(plain["grpc"])
loop_client = triton.InferenceServerClient(loop["grpc"])


def given():
    inputs = []
    for kind, array in ALL.items():
        tensor = triton.InferInput(kind, array.shape, kind)
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    return inputs


def x(array):
    tensor = triton.InferInput("x", array.shape, "FP32")
    tensor.set_data_from_numpy(array)
    return [tensor]


def n(value):
    tensor = triton.InferInput("n", [], "INT64")
    tensor.set_data_from_numpy(np.array(value, dtype=np.int64))
    return [tensor]


def rows(count):
    return [np.full((1, 4), i, dtype=np.float32) for i in range(count)]


def refused(status, words, call):
    try:
        call()
    except InferenceServerException as error:
        equal(error.status(), f"StatusCode.{status}", str(error))
        expect(words in str(error), f"{words!r} is not in {error}")
        return
    raise AssertionError("it was not refused")


@check("live, ready, model ready")
def _():
    expect(client.is_server_live() and client.is_server_ready(), "not live and ready")
    expect(client.is_model_ready("types") and client.is_model_ready("types", "1"), "the model is not ready")
    refused("NOT_FOUND", "other", lambda: client.is_model_ready("other"))


@check("server metadata")
def _():
    expect("binary_tensor_data" in client.get_server_metadata().extensions, client.get_server_metadata())


@check("model metadata")
def _():
    metadata = client.get_model_metadata("types", "1")
    equal({one.name: (one.datatype, list(one.shape)) for one in metadata.inputs}, {kind: (kind, [-1]) for kind in ALL})
    equal(list(metadata.versions), ["1"])


@check("model config")
def _():
    config = client.get_model_config("types").config
    equal(config.name, "types")
    equal({one.name: list(one.dims) for one in config.input}, {kind: [-1] for kind in ALL})


@check("statistics")
def _():
    def count():
        return client.get_inference_statistics("types").model_stats[0].inference_stats.success.count

    before = count()
    client.infer("types", given())
    equal(count() - before, 1, "successes counted")


@check("repository index")
def _():
    index = client.get_model_repository_index().models
    equal([(one.name, one.version, one.state) for one in index], [("types", "1", "READY")])


for algorithm in (None, "gzip", "deflate"):

    def every_type(algorithm=algorithm):
        answer = client.infer("types", given(), compression_algorithm=algorithm)
        for kind, array in ALL.items():
            expect(same(answer.as_numpy(f"{kind}.out"), array), f"{kind}: {answer.as_numpy(f'{kind}.out')}")

    check(f"every type, {algorithm or 'no'} compression")(every_type)


@check("every type but FP16, which has none: typed contents instead of raw bytes")
def _():
    fields = {"BOOL": "bool_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}
    fields |= {kind: "int_contents" for kind in ("INT8", "INT16", "INT32")}
    fields |= {kind: "uint_contents" for kind in ("UINT8", "UINT16", "UINT32")}
    fields |= {"INT64": "int64_contents", "UINT64": "uint64_contents"}
    request = service_pb2.ModelInferRequest(model_name="typed")
    for kind, field in fields.items():
        tensor = request.inputs.add(name=kind, datatype=kind, shape=ALL[kind].shape)
        getattr(tensor.contents, field).extend(ALL[kind].tolist())
    with grpc.insecure_channel(servers["typed"]["grpc"]) as channel:
        answer = triton.InferResult(service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=PATIENCE))
    for kind in fields:
        expect(same(answer.as_numpy(f"{kind}.out"), ALL[kind]), f"{kind}: {answer.as_numpy(f'{kind}.out')}")


@check("the request's id comes back; only the outputs that are asked for")
def _():
    answer = client.infer("types", given(), outputs=[triton.InferRequestedOutput("INT8.out")], request_id="a-7")
    equal(answer.get_response().id, "a-7")
    equal([one.name for one in answer.get_response().outputs], ["INT8.out"])


@check("classification: the greatest values with their places")
def _():
    outputs = [triton.InferRequestedOutput("x.out", class_count=2)]
    answer = plain_client.infer("plain", x(np.array([[1, 4, 3, 2], [8, 5, 6, 7]], dtype=np.float32)), outputs=outputs)
    texts = [[text.decode() for text in row] for row in answer.as_numpy("x.out")]
    equal(texts, [["4.000000:1", "3.000000:2"], ["8.000000:0", "7.000000:3"]])


@check("a message of 16 MB both ways")
def _():
    array = np.arange(4_000_000, dtype=np.float32).reshape(-1, 4)
    expect(same(plain_client.infer("plain", x(array)).as_numpy("x.out"), array), "another answer")


@check("async: 50 at once")
def _():
    answers = queue.Queue()
    for i, array in enumerate(rows(50)):
        plain_client.async_infer("plain", x(array), lambda result, error, i=i: answers.put((i, result, error)))
    for _ in range(50):
        i, result, error = answers.get(timeout=PATIENCE)
        expect(error is None, error)
        expect(same(result.as_numpy("x.out"), rows(50)[i]), result.as_numpy("x.out"))


@check("asyncio: 50 at once")
def _():
    async def all_of_them():
        async with triton_aio.InferenceServerClient(plain["grpc"]) as aio:
            answers = await asyncio.gather(*[aio.infer("plain", x(array)) for array in rows(50)])
            return all(same(answer.as_numpy("x.out"), array) for answer, array in zip(answers, rows(50)))

    expect(asyncio.run(all_of_them()), "wrong answers")


@check("a stream: 50 requests, each answered once, a wrong one among them with its own error")
def _():
    answers = queue.Queue()
    with triton.InferenceServerClient(plain["grpc"]) as streaming:
        streaming.start_stream(lambda result, error: answers.put((result, error)))
        for i, array in enumerate(rows(50)):
            streaming.async_stream_infer("plain" if i != 25 else "other", x(array), request_id=str(i))
        got = [answers.get(timeout=PATIENCE) for _ in range(50)]
        streaming.stop_stream()
    right = {result.get_response().id: result.as_numpy("x.out") for result, error in got if error is None}
    equal([str(error) for _, error in got if error is not None and "other" not in str(error)], [], "errors")
    equal(sorted(right, key=int), [str(i) for i in range(50) if i != 25])
    expect(all(same(array, rows(50)[int(i)]) for i, array in right.items()), "wrong answers")


@check("priority and timeout are taken")
def _():
    plain_client.infer("plain", x(rows(1)[0]), priority=1, timeout=5_000_000)


@check("the client's deadline ends an endless run's request; the next is answered")
def _():
    refused("DEADLINE_EXCEEDED", "", lambda: loop_client.infer("loop", n(2**62), client_timeout=0.5))
    answered_again()


@check("the request's timeout ends an endless run's request; the next is answered")
def _():
    try:
        loop_client.infer("loop", n(2**62), timeout=500_000)
        raise AssertionError("it was answered")
    except InferenceServerException as error:
        expect(error.status() in ("StatusCode.DEADLINE_EXCEEDED", "StatusCode.UNAVAILABLE"), str(error))
    answered_again()


@check("a request that is cancelled ends with CANCELLED")
def _():
    ended = threading.Event()
    errors = []

    def done(result, error):
        errors.append(error)
        ended.set()

    call = loop_client.async_infer("loop", n(2**62), done)
    until_it_runs(servers["loop"])
    call.cancel()
    expect(ended.wait(PATIENCE), f"it did not end within {PATIENCE} s")
    expect("CANCELLED" in str(errors[0].status()), errors[0])
    answered_again()


def answered_again():
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return equal(int(loop_client.infer("loop", n(3), client_timeout=PATIENCE).as_numpy("sum")), 3)
        except InferenceServerException as error:
            # until the process that runs the model is there again, which on a busy machine takes longer than a request may wait
            again = ("StatusCode.UNAVAILABLE", "StatusCode.RESOURCE_EXHAUSTED", "StatusCode.DEADLINE_EXCEEDED")
            if error.status() not in again or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@check("errors: unknown model and version")
def _():
    refused("NOT_FOUND", "other", lambda: plain_client.infer("other", x(rows(1)[0])))
    refused("NOT_FOUND", "7", lambda: plain_client.infer("plain", x(rows(1)[0]), model_version="7"))


@check("errors name the tensor: unknown, missing, wrong type, wrong shape, unknown output")
def _():
    def wrong(name, kind, array):
        tensor = triton.InferInput(name, array.shape, kind)
        tensor.set_data_from_numpy(array)
        return lambda: plain_client.infer("plain", [tensor])

    refused("INVALID_ARGUMENT", '"y"', wrong("y", "FP32", np.zeros((1, 4), dtype=np.float32)))
    refused("INVALID_ARGUMENT", '"x"', wrong("x", "INT32", np.zeros((1, 4), dtype=np.int32)))
    refused("INVALID_ARGUMENT", '"x"', wrong("x", "FP32", np.zeros((1, 5), dtype=np.float32)))
    without = [one for one in given() if one.name() != "UINT8"]
    refused("INVALID_ARGUMENT", '"UINT8"', lambda: client.infer("types", without))
    nothing = [triton.InferRequestedOutput("nothing")]
    refused("INVALID_ARGUMENT", "nothing", lambda: plain_client.infer("plain", x(rows(1)[0]), outputs=nothing))


@check("no model can be loaded or unloaded")
def _():
    refused("UNIMPLEMENTED", "", lambda: client.load_model("types"))
    refused("UNIMPLEMENTED", "", lambda: client.unload_model("types"))


run()

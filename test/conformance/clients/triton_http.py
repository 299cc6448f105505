"""tritonclient's HTTP client, with threads and with asyncio."""
import asyncio
import time

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from checks import PATIENCE, check, equal, expect, run, servers
from tensors import ALL, same

types = servers["types"]
plain = servers["plain"]
loop = servers["loop"]
client = triton.InferenceServerClient(types["http"], concurrency=4)
plain_client = triton.InferenceServerClient(plain["http"], concurrency=4)


def given(binary):
    inputs = []
    for kind, array in ALL.items():
        tensor = triton.InferInput(kind, array.shape, kind)
        tensor.set_data_from_numpy(array, binary_data=binary or kind == "FP16")
        inputs.append(tensor)
    return inputs


def wanted(binary):
    return [triton.InferRequestedOutput(f"{kind}.out", binary_data=binary or kind == "FP16") for kind in ALL]


def roundtrip(binary_in, binary_out, **options):
    answer = client.infer("types", given(binary_in), outputs=wanted(binary_out), **options)
    for kind, array in ALL.items():
        expect(same(answer.as_numpy(f"{kind}.out"), array), f"{kind}: {answer.as_numpy(f'{kind}.out')}")
    return answer


def x(array):
    tensor = triton.InferInput("x", array.shape, "FP32")
    tensor.set_data_from_numpy(array)
    return [tensor]


def refused(status, words, call):
    try:
        call()
    except InferenceServerException as error:
        equal(error.status(), status, str(error))
        expect(words in str(error), f"{words!r} is not in {error}")
        return
    raise AssertionError("it was not refused")


@check("live, ready, model ready")
def _():
    expect(client.is_server_live() and client.is_server_ready(), "not live and ready")
    expect(client.is_model_ready("types") and client.is_model_ready("types", "1"), "the model is not ready")
    expect(not client.is_model_ready("other"), "a model that is not there is ready")


@check("server metadata")
def _():
    metadata = client.get_server_metadata()
    expect({"name", "version", "extensions"} <= metadata.keys(), metadata)
    expect("binary_tensor_data" in metadata["extensions"], metadata)


@check("model metadata")
def _():
    metadata = client.get_model_metadata("types", "1")
    equal(metadata["name"], "types")
    equal({one["name"]: (one["datatype"], one["shape"]) for one in metadata["inputs"]}, {kind: (kind, [-1]) for kind in ALL})
    equal(len(metadata["outputs"]), len(ALL))


@check("statistics")
def _():
    def count():
        return client.get_inference_statistics("types")["model_stats"][0]["inference_stats"]["success"]["count"]

    before = count()
    roundtrip(True, True)
    equal(count() - before, 1, "successes counted")


@check("repository index")
def _():
    index = client.get_model_repository_index()
    equal([(one["name"], one["version"], one["state"]) for one in index], [("types", "1", "READY")])


for binary_in in (True, False):
    for binary_out in (True, False):
        form = f"{'binary' if binary_in else 'JSON'} to {'binary' if binary_out else 'JSON'}"
        check(f"every type, {form}")(lambda i=binary_in, o=binary_out: roundtrip(i, o))

for algorithm in ("gzip", "deflate"):
    options = {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}
    check(f"{algorithm} both ways, binary")(lambda o=options: roundtrip(True, True, **o))
    check(f"{algorithm} both ways, JSON")(lambda o=options: roundtrip(False, False, **o))


@check("the request's id comes back")
def _():
    equal(roundtrip(True, True, request_id="a-7").get_response()["id"], "a-7")


@check("only the outputs that are asked for")
def _():
    answer = client.infer("types", given(True), outputs=[triton.InferRequestedOutput("INT8.out")])
    equal([one["name"] for one in answer.get_response()["outputs"]], ["INT8.out"])


@check("no outputs named: all of them")
def _():
    equal(len(client.infer("types", given(True)).get_response()["outputs"]), len(ALL))


@check("shapes, empty tensors among them")
def _():
    for shape in [(1, 4), (7, 4), (0, 4)]:
        array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        expect(same(plain_client.infer("plain", x(array)).as_numpy("x.out"), array), shape)


@check("async: 50 at once")
def _():
    arrays = [np.full((1, 4), i, dtype=np.float32) for i in range(50)]
    calls = [plain_client.async_infer("plain", x(array)) for array in arrays]
    for call, array in zip(calls, arrays):
        expect(same(call.get_result().as_numpy("x.out"), array), array)


@check("asyncio: 50 at once")
def _():
    async def all_of_them():
        async with triton_aio.InferenceServerClient(plain["http"]) as aio:
            arrays = [np.full((1, 4), i, dtype=np.float32) for i in range(50)]
            answers = await asyncio.gather(*[aio.infer("plain", x(array)) for array in arrays])
            return all(same(answer.as_numpy("x.out"), array) for answer, array in zip(answers, arrays))

    expect(asyncio.run(all_of_them()), "wrong answers")


@check("priority and timeout are taken")
def _():
    array = np.zeros((1, 4), dtype=np.float32)
    plain_client.infer("plain", x(array), priority=1, timeout=5_000_000)


@check("an endless run: its request ends at its timeout, the next is answered")
def _():
    def request(n, **options):
        tensor = triton.InferInput("n", [], "INT64")
        tensor.set_data_from_numpy(np.array(n, dtype=np.int64))
        return triton.InferenceServerClient(loop["http"], network_timeout=PATIENCE).infer("loop", [tensor], **options)

    try:
        request(2**62, timeout=500_000)
        raise AssertionError("it was answered")
    except InferenceServerException as error:
        expect(error.status() in ("503", "504"), str(error))
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            equal(int(request(3).as_numpy("sum")), 3)
            return
        except InferenceServerException as error:
            # until the process that runs the model is there again, which on a busy machine takes longer than a request may wait
            if error.status() not in ("429", "503", "504") or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@check("errors: unknown model and version")
def _():
    array = np.zeros((1, 4), dtype=np.float32)
    refused("404", "other", lambda: plain_client.infer("other", x(array)))
    refused("404", "7", lambda: plain_client.infer("plain", x(array), model_version="7"))


@check("errors name the tensor: unknown, missing, wrong type, wrong shape")
def _():
    wrong = triton.InferInput("y", [1, 4], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 4), dtype=np.float32))
    refused("400", '"y"', lambda: plain_client.infer("plain", [wrong]))
    refused("400", '"UINT8"', lambda: client.infer("types", [one for one in given(True) if one.name() != "UINT8"]))
    integer = triton.InferInput("x", [1, 4], "INT32")
    integer.set_data_from_numpy(np.zeros((1, 4), dtype=np.int32))
    refused("400", '"x"', lambda: plain_client.infer("plain", [integer]))
    refused("400", '"x"', lambda: plain_client.infer("plain", x(np.zeros((1, 5), dtype=np.float32))))


@check("errors name the output that is not there")
def _():
    array = np.zeros((1, 4), dtype=np.float32)
    refused("400", "nothing", lambda: plain_client.infer("plain", x(array), outputs=[triton.InferRequestedOutput("nothing")]))


@check("no model can be loaded or unloaded")
def _():
    for call in (client.load_model, client.unload_model):
        try:
            call("types")
        except InferenceServerException:
            continue
        raise AssertionError("it was taken")
    expect(client.is_model_ready("types"), "the model is gone")


run()

"""FastAPI + onnxruntime as a careful person writes it: requests that wait while a run goes on make up the next batch."""
import asyncio
import os

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, Request, Response

THREADS = int(os.environ["BENCH_THREADS"])
MAX_BATCH = 32
TYPES = {"FP32": np.float32, "INT64": np.int64}

options = ort.SessionOptions()
options.intra_op_num_threads = THREADS
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = ort.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
outputs = [value.name for value in session.get_outputs()]
inputs = session.get_inputs()

app = FastAPI()
waiting: list[tuple[dict, asyncio.Future]] = []
running = False


def run(batch: list[dict]) -> list[list[np.ndarray]]:
    if len(batch) == 1:
        return [session.run(outputs, batch[0])]
    joined = {name: np.concatenate([feeds[name] for feeds in batch]) for name in batch[0]}
    results = session.run(outputs, joined)
    ends = np.cumsum([next(iter(feeds.values())).shape[0] for feeds in batch])[:-1]
    return [list(parts) for parts in zip(*(np.split(result, ends) for result in results))]


async def work() -> None:
    global running
    running = True
    try:
        while waiting:
            batch = waiting[:MAX_BATCH]
            del waiting[:MAX_BATCH]
            results = await asyncio.to_thread(run, [feeds for feeds, _ in batch])
            for (_, answer), result in zip(batch, results):
                answer.set_result(result)
    finally:
        running = False


async def infer(feeds: dict) -> list[np.ndarray]:
    answer = asyncio.get_running_loop().create_future()
    waiting.append((feeds, answer))
    if not running:
        asyncio.ensure_future(work())
    return await answer


@app.post("/v2/models/m/infer")
async def infer_json(request: Request) -> dict:
    body = await request.json()
    results = await infer(
        {
            entry["name"]: np.array(entry["data"], TYPES[entry["datatype"]]).reshape(entry["shape"])
            for entry in body["inputs"]
        }
    )
    return {
        "model_name": "m",
        "outputs": [
            {"name": name, "datatype": "FP32", "shape": result.shape, "data": result.ravel().tolist()}
            for name, result in zip(outputs, results)
        ],
    }


@app.post("/raw")
async def infer_raw(request: Request) -> Response:
    """The tensors' bytes, one after the other; each input has the shape that the query gives."""
    body = await request.body()
    feeds, at = {}, 0
    for value, sizes in zip(inputs, request.query_params.getlist("shape")):
        shape = [int(size) for size in sizes.split(",")]
        kind = np.float32 if value.type == "tensor(float)" else np.int64
        count = int(np.prod(shape))
        feeds[value.name] = np.frombuffer(body, kind, count, at).reshape(shape)
        at += count * np.dtype(kind).itemsize
    results = await infer(feeds)
    return Response(b"".join(result.tobytes() for result in results), media_type="application/octet-stream")

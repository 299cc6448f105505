"""Collects checks of one client, and prints a line of JSON for each: {"name", "ok", "detail"}."""
import json
import os
import sys
import time
import urllib.request

_checks = []

# What main.ts serves: {"types": {"http": "host:port", "grpc": "host:port", "model": "types"}, ...}
servers = json.loads(sys.argv[1])

# The longest that a check waits for anything, in seconds: test/world/patience.ts says why.
PATIENCE = float(os.environ["BERTH_PATIENCE_SECONDS"])


def until_it_runs(server):
    """Until the server runs an inference: nothing else tells a client that its request has come so far."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with urllib.request.urlopen(f"http://{server['admin']}/metrics", timeout=PATIENCE) as response:
            if "berth_inflight_requests 1\n" in response.read().decode():
                return
        expect(time.monotonic() < deadline, f"no inference within {PATIENCE} s")
        time.sleep(0.02)


def check(name):
    def add(function):
        _checks.append((name, function))
        return function

    return add


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(actual, expected, what="answer"):
    expect(actual == expected, f"{what}: {actual!r}, expected {expected!r}")


def run():
    for name, function in _checks:
        try:
            function()
            result = {"name": name, "ok": True, "detail": ""}
        except Exception as error:  # one check that fails must not hide the others
            text = " ".join(str(error).split())
            result = {"name": name, "ok": False, "detail": f"{type(error).__name__}: {text}"[:600]}
        print(json.dumps(result), flush=True)

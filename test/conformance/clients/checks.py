"""Collects checks of one client, and prints a line of JSON for each: {"name", "ok", "detail"}."""
import json
import sys

_checks = []

# What main.ts serves: {"types": {"http": "host:port", "grpc": "host:port", "model": "types"}, ...}
servers = json.loads(sys.argv[1])


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

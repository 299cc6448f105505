"""One array for each type of the protocol, with the values at the ends of its range."""
import numpy as np


def _ends(kind):
    info = np.iinfo(kind)
    return np.array([info.min, 0, info.max], dtype=kind)


ALL = {
    "BOOL": np.array([True, False, True]),
    "UINT8": _ends(np.uint8),
    "UINT16": _ends(np.uint16),
    "UINT32": _ends(np.uint32),
    "UINT64": _ends(np.uint64),
    "INT8": _ends(np.int8),
    "INT16": _ends(np.int16),
    "INT32": _ends(np.int32),
    "INT64": _ends(np.int64),
    "FP16": np.array([np.nan, -np.inf, 65504], dtype=np.float16),
    "FP32": np.array([np.nan, np.inf, 1.1754944e-38], dtype=np.float32),
    "FP64": np.array([np.nan, -np.inf, 0.1], dtype=np.float64),
    "BYTES": np.array(["".encode(), "grün ✓".encode(), b"a" * 1000], dtype=np.object_),
}


def same(actual, expected):
    """Whether type, shape and every bit of the values agree (NaN with NaN)."""
    if actual is None or actual.shape != expected.shape:
        return False
    if expected.dtype == np.object_:
        # In JSON they are texts.
        values = [value.encode() if isinstance(value, str) else bytes(value) for value in actual.flat]
        return values == list(expected.flat)
    return actual.dtype == expected.dtype and np.array_equal(actual, expected, equal_nan=expected.dtype.kind == "f")

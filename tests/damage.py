"""Damaged, truncated and foreign files, for the tests of what reads them."""

import io
import json
import pickle
import zipfile

import numpy as np

N = 500

# Classes and functions that a malicious file might name.
HARMFUL = [("os", "system"), ("subprocess", "Popen"), ("builtins", "eval")]
VALUES = [None, True, -1, 10**30, 0.5, "x", "{", [], {}, [[]], {"stored_as": "network"}]


def truncated(data, rng):
    """The beginning of a file."""
    return data[: rng.integers(len(data))]


def flipped(data, rng):
    """A file of which one bit is changed."""
    changed = bytearray(data)
    changed[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def foreign(data, rng):
    """A file of another kind, or random bytes, perhaps after the start of the file."""
    noise = rng.bytes(int(rng.integers(200)))
    kinds = [
        lambda: noise,
        lambda: data[: int(rng.integers(8))] + noise,
        lambda: data + noise if rng.random() < 0.1 else noise + data[-30:],
        lambda: json.dumps({"class_name": noise.hex()}).encode(),
        lambda: pickle.dumps(noise),
        lambda: archive({"schema.json": noise, "config.json": noise, "arr_0.npy": b""}),
        lambda: archive({f"member {noise.hex()[:20]}": noise}),
        lambda: arrays(noise),
        lambda: header_of_a_huge_array(rng),
    ]
    return kinds[rng.integers(len(kinds))]()


def archive(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def arrays(noise):
    buffer = io.BytesIO()
    np.savez(buffer, np.frombuffer(noise, np.uint8), np.ones(3))
    return buffer.getvalue()


def header_of_a_huge_array(rng):
    buffer = io.BytesIO()
    shape = (int(rng.integers(2**30, 2**60)),)
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return archive({"arr_0.npy": buffer.getvalue()})


def containers(value):
    """All lists and dicts within a value, itself included."""
    if isinstance(value, list | dict):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)


def altered(value, rng):
    """Change, remove or exchange one entry of nested lists and dicts, in place."""
    every = [each for each in containers(value) if len(each)]
    one = every[rng.integers(len(every))]
    keys = list(one) if isinstance(one, dict) else range(len(one))
    key = keys[rng.integers(len(keys))]
    change = rng.integers(4)
    if change == 0:
        del one[key]
    elif change == 1:
        one[key] = VALUES[rng.integers(len(VALUES))]
    elif change == 2:
        other = every[rng.integers(len(every))]
        one[key] = other if other is not value else None
    elif isinstance(one, dict) and "__class__" in one:
        one["__module__"], one["__class__"] = HARMFUL[rng.integers(len(HARMFUL))]
    else:
        one[key] = [one[key]]
    return value


def with_altered_schema(data, rng):
    """A skops file with a valid checksum, of which one entry is changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = altered(json.loads(members["schema.json"]), rng)
    return archive({**members, "schema.json": dumped(schema)})


def dumped(value):
    try:
        return json.dumps(value)
    except ValueError:  # it contains itself
        return "{}"


def limit_memory(n_bytes):
    """Let larger allocations fail, and return a list of what is run or opened."""
    import resource
    import sys

    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
    events = []
    harmful = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen")

    def hook(name, arguments):
        if name in harmful or name.startswith("socket."):
            events.append(name)

    sys.addaudithook(hook)
    return events

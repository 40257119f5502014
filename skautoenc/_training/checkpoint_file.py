"""The file of a checkpoint: arrays and JSON, written whole, and checked when read."""

import contextlib
import hashlib
import io
import json
import math
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# To be raised when the contents of a checkpoint change. Checkpoints of another format
# are not read.
FORMAT = 1

_SUFFIX = ".npz"
_KEYS = {"format", "fingerprint", "digest", "state"}
_PLAIN = str | int | float | bool | None

# What reading a damaged or foreign file may raise.
_DAMAGED = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    RuntimeError,  # also NotImplementedError and RecursionError
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def checkpoint_path(folder: str | os.PathLike, fingerprint: str) -> Path:
    """Return the path of the checkpoint of the fit with this fingerprint."""
    return Path(folder) / f"{fingerprint}{_SUFFIX}"


def is_plain(value: Any) -> bool:
    """Whether a checkpoint can hold a value: numbers, strings, arrays, containers."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufcU"
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and is_plain(v) for k, v in value.items())
    return isinstance(value, _PLAIN)


def write_checkpoint(path: Path, state: Any) -> None:
    """Write a state to a file, which is replaced as a whole.

    Parameters
    ----------
    path : Path
        What `checkpoint_path` returned. The folder is created if it does not exist.

    state : object
        For which `is_plain` is true.

    Raises
    ------
    OSError
        If the file cannot be written. A former checkpoint is kept.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_to_json(state, arrays))
    header = {
        "format": FORMAT,
        "fingerprint": path.stem,
        "digest": _digest(text, arrays),
        "state": text,
    }
    buffer = io.BytesIO()
    encoded = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(buffer, encoded, *arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, buffer.getbuffer())
    except OSError as error:
        reason = f"checkpoint={str(path.parent)!r} cannot be written: {error.strerror}"
        kept = "The former one is kept: free" if path.exists() else "Free"
        raise OSError(
            error.errno,
            f"{reason}. {kept} space on the disk, or allow this process to write to "
            "the folder, and call fit again.",
        ) from error


def _replace(path, data):
    """Write a file aside, and rename it when it is complete on the disk."""
    handle, name = tempfile.mkstemp(".tmp", f"{path.stem}.", path.parent)
    aside = Path(name)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Removed by another fit with the same data and parameters, which has ended.
        with contextlib.suppress(FileNotFoundError):
            os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def read_checkpoint(path: Path) -> Any:
    """Return the state in a file; None if there is no file.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not a checkpoint of the fit that `path` is named after, or is damaged.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"checkpoint: {path} cannot be read: {error.strerror}."
        raise OSError(error.errno, message) from error
    try:
        return _parse(data, path.stem)
    except _DAMAGED as error:
        raise ValueError(_refusal(path, error)) from error


def _refusal(path, reason):
    return (
        f"checkpoint: {path} is not a checkpoint of this fit, or is damaged: {reason}. "
        "Delete the file to start from the first epoch."
    )


def check_alike(path: Path, saved: Any, current: Any, name: str = "engine") -> None:
    """Raise a ValueError if a saved state does not have the structure of a current one.

    Arrays must have the same shapes and types.
    """
    if isinstance(current, dict) and isinstance(saved, dict):
        same = saved.keys() == current.keys()
        parts = [(saved[k], current[k], f"{name}.{k}") for k in current if same]
    elif isinstance(current, list | tuple) and isinstance(saved, list | tuple):
        same = len(saved) == len(current)
        parts = [(s, c, f"{name}[{i}]") for i, (s, c) in _pairs(saved, current)]
    elif isinstance(current, np.ndarray | np.generic):
        kinds = [(np.shape(a), getattr(a, "dtype", None)) for a in (saved, current)]
        same, parts = kinds[0] == kinds[1], []
    else:
        same, parts = type(saved) is type(current), []
    if not same:
        raise ValueError(_refusal(path, f"its {name} has another structure"))
    for part in parts:
        check_alike(path, *part)


def _pairs(saved, current):
    return enumerate(zip(saved, current, strict=False))


def remove_checkpoint(path: Path | None) -> None:
    """Remove a checkpoint, if any, and the files of writings that were interrupted."""
    if path is None:
        return
    path.unlink(missing_ok=True)
    for aside in path.parent.glob(f"{path.stem}.*.tmp"):
        aside.unlink(missing_ok=True)


def _parse(data, fingerprint):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = [file.read(f"arr_{i}.npy") for i in range(len(file.namelist()))]
    encoded, *arrays = map(_read_array, members)
    header = json.loads(encoded.tobytes())
    if header.keys() != _KEYS or header["format"] != FORMAT:
        raise ValueError(f"it is not in format {FORMAT}")
    if header["fingerprint"] != fingerprint:
        raise ValueError("it was written by another fit, and renamed")
    if header["digest"] != _digest(header["state"], arrays):
        raise ValueError("its digest is wrong")
    return _from_json(json.loads(header["state"]), arrays)


def _read_array(data):
    """Return the array in an npy file, without allocating what its header says."""
    file = io.BytesIO(data)
    is_first_version = np.lib.format.read_magic(file) == (1, 0)
    read_header = np.lib.format.read_array_header_2_0
    if is_first_version:
        read_header = np.lib.format.read_array_header_1_0
    shape, _, dtype = read_header(file)
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError("the header of an array is wrong")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _digest(text: str, arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view("u1").data)
    return digest.hexdigest()


def _to_json(value, arrays):
    """Return a value with arrays replaced by their numbers, and append the arrays."""
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: len(arrays) - 1}
    if isinstance(value, dict):
        return {"dict": {k: _to_json(v, arrays) for k, v in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [_to_json(v, arrays) for v in value]}
    if isinstance(value, list):
        return [_to_json(v, arrays) for v in value]
    return value


def _from_json(value, arrays):
    if isinstance(value, list):
        return [_from_json(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {k: _from_json(v, arrays) for k, v in content.items()}
    if kind == "tuple":
        return tuple(_from_json(v, arrays) for v in content)
    array = arrays[content]
    return array[()] if kind == "scalar" else array

"""Tasks and replies as bytes: a positive list of forms, checked on the way out and again on the way in.

One container: safetensors, whose tensor ``reply`` holds the reply's canonical JSON as bytes, beside the arrays that
the reply's kind allows. Anything else is refused: an unknown field, type or array, another dtype or shape, NaN,
infinity, or too many bytes.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter
from pydantic_core import PydanticSerializationError

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.boundary.tensor_header import check_tensors
from fedprompt.errors import EgressRefused
from fedprompt.privacy.quantise import scales_of
from fedprompt.prompts.ids import canonical_json
from fedprompt.prompts.soft import MAX_TOKENS, MAX_WIDTH
from fedprompt.verbs.forms import LISTS, MAX_JSON_BYTES, SCORES, SHORT, Allowed, Arrays, Parcel, Reply, Task
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.registry import VERBS, verb_named

__all__ = ["MAX_REPLY_BYTES", "pack_reply", "pack_task", "unpack_reply", "unpack_task"]

MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_SIZE = MAX_REPLY_BYTES  # numbers of a flat array: as many as there is room for, of one byte each


def _one_of(forms: Sequence[type[Task] | type[Reply]]) -> Any:
    """Return the type of a message that is any one of these forms, told apart by its verb."""
    return Annotated[reduce(or_, forms), Field(discriminator="verb")]


_tasks: TypeAdapter[Task] = TypeAdapter(_one_of([verb.task for verb in VERBS if verb.task is not None]))
_replies: TypeAdapter[Reply] = TypeAdapter(
    _one_of([*dict.fromkeys(verb.reply for verb in VERBS if verb.reply is not None), Refusal])
)
_BOUNDS: Mapping[str, Mapping[str, Bounds]] = {
    "task": {verb.name: verb.task_bounds for verb in VERBS if verb.task is not None},
    "reply": {"refuse": SHORT, **{verb.name: verb.reply_bounds for verb in VERBS if verb.reply is not None}},
}
Message = TypeVar("Message", bound=Task | Reply)


def pack_reply(reply: Reply, arrays: Arrays) -> bytes:
    """Return the bytes that leave the site.

    Raises:
        EgressRefused: the reply is not on the list; says why, without any value of it.
    """
    # Validated anew from its JSON: a value built around the schema's checks must not get out.
    return _pack("reply", _replies, reply, arrays, _reply_arrays(reply))


def unpack_reply(data: bytes) -> Parcel[Reply]:
    """Return the reply in ``data``.

    Raises:
        EgressRefused: the bytes are not a reply on the list.
    """
    message, arrays = _unpack("reply", _replies, data)
    _check_arrays(arrays, _reply_arrays(message), message.verb)
    return Parcel(message, arrays)


def pack_task(task: Task, arrays: Arrays) -> bytes:
    """Return the bytes of a task.

    Raises:
        EgressRefused: the task is not on the list.
    """
    return _pack("task", _tasks, task, arrays, _task_arrays(task))


def unpack_task(data: bytes) -> Parcel[Task]:
    """Return the task in ``data``.

    Raises:
        EgressRefused: the bytes are not a task on the list.
    """
    message, arrays = _unpack("task", _tasks, data)
    _check_arrays(arrays, _task_arrays(message), message.verb)
    return Parcel(message, arrays)


def _reply_arrays(reply: Reply) -> Allowed:
    verb = verb_named(reply.verb)
    return {} if verb is None else verb.reply_arrays(reply)


def _task_arrays(task: Task) -> Allowed:
    verb = verb_named(task.verb)
    return {} if verb is None else verb.task_arrays(task)


def _pack(kind: str, adapter: TypeAdapter[Message], message: Message, arrays: Arrays, allowed: Allowed) -> bytes:
    from safetensors.numpy import save

    try:
        # All that the value holds is shown to the schema, and what is sent is what the schema made of it.
        shown = canonical_json(message.model_dump(mode="json", warnings=False))
        body = canonical_json(adapter.dump_python(_checked(kind, adapter, shown), mode="json"))
    except (ValueError, TypeError, PydanticSerializationError) as error:
        raise EgressRefused(
            f"a {kind} does not match its schema and was not sent ({_where(error)})", code="not-well-formed"
        ) from None
    if len(body) > MAX_JSON_BYTES:
        raise EgressRefused(
            f"a {kind} has {len(body):,} bytes of JSON, more than the limit of {MAX_JSON_BYTES:,}", code="too-large"
        )
    _check_arrays(arrays, allowed, message.verb)
    data = save({kind: np.frombuffer(body, dtype=np.uint8), **{n: np.ascontiguousarray(arrays[n]) for n in arrays}})
    if len(data) > MAX_REPLY_BYTES:
        raise EgressRefused(
            f"a {kind} has {len(data):,} bytes, more than the limit of {MAX_REPLY_BYTES:,}", code="too-large"
        )
    return bytes(data)


def _unpack(kind: str, adapter: TypeAdapter[Message], data: bytes) -> tuple[Message, dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if len(data) > MAX_REPLY_BYTES:
        raise EgressRefused(
            f"a {kind} has {len(data):,} bytes, more than the limit of {MAX_REPLY_BYTES:,}", code="too-large"
        )
    try:
        check_tensors(data)
        found = load(data)
        body = found.pop(kind)
        if body.dtype != np.uint8 or body.ndim != 1 or body.size > MAX_JSON_BYTES:
            raise EgressRefused(f"the JSON part of a {kind} is not bytes", code="not-well-formed")
        message = _checked(kind, adapter, body.tobytes(), strict=True)  # a number is a number, and no text of one
    except (SafetensorError, KeyError, ValueError) as error:
        raise EgressRefused(f"this is not a valid {kind} ({_where(error)})", code="not-well-formed") from None
    return message, found


def _checked(kind: str, adapter: TypeAdapter[Message], shown: bytes, *, strict: bool = False) -> Message:
    bounds = SCORES if kind == "reply" else LISTS
    return checked_json(adapter, shown, bounds, strict=strict, by=("verb", _BOUNDS[kind]))


def _check_arrays(arrays: Arrays, allowed: Allowed, verb: str) -> None:
    known = verb_named(verb)
    flat = known is not None and known.flat
    if set(arrays) != set(allowed):
        raise EgressRefused(
            f"expected the arrays {sorted(allowed)}, found {len(arrays)} others or fewer", code="other-arrays"
        )
    for name, array in arrays.items():
        _check_array(name, array, allowed[name], flat=flat and name != "scales")
    if "scales" in arrays and (
        arrays["scales"].shape != (scales_of(arrays["codes"].shape), 1) or (arrays["scales"] < 0).any()
    ):
        raise EgressRefused("the array 'scales' needs one positive number for each row of 'codes'", code="other-arrays")


def _check_array(name: str, array: NDArray[Any], dtype: type[np.generic], *, flat: bool) -> None:
    if array.dtype != dtype or array.ndim not in ((1, 2) if flat else (2,)):
        raise EgressRefused(f"the array '{name}' is not two-dimensional {np.dtype(dtype)}", code="wrong-shape")
    # The exact shape is the accepted study's: the verb and the gate hold an array against it.
    most = (MAX_SIZE,) if array.ndim == 1 else (MAX_TOKENS, MAX_WIDTH)
    if name == "scales":
        most = (max(MAX_TOKENS, scales_of((MAX_SIZE,))), 1)
    if not all(1 <= length <= bound for length, bound in zip(array.shape, most, strict=True)):
        raise EgressRefused(f"the array '{name}' has a shape outside the limits", code="wrong-shape")
    if array.dtype != np.int8 and not np.isfinite(array).all():
        raise EgressRefused(f"the array '{name}' contains NaN or infinity", code="not-finite")


def _where(error: Exception) -> str:
    if isinstance(error, Unfit):  # a schema's own words may quote a value: its place alone is told
        return error.field if error.kind else str(error)
    return type(error).__name__

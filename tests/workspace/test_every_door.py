"""Whatever a stranger sends to whichever door, to refuse it takes little more memory than the message itself."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter
from safetensors.numpy import save

from fedprompt.boundary.checked import Unfit, checked_json
from fedprompt.errors import FedPromptError
from fedprompt.exports.bundle import Bundle
from fedprompt.exports.identity import prompt_of
from fedprompt.exports.protocol import ImportContext
from fedprompt.site.policy import read_policy
from fedprompt.verbs.wire import unpack_reply, unpack_task
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.exchange.pack_files import open_pack
from fedprompt.workspace.exchange.release import read_release
from fedprompt.workspace.home import Home
from fedprompt.workspace.playground.trial_files import TrialFolder
from fedprompt.workspace.playground.trials import read_trial
from fedprompt.workspace.rounds.gathering_now import run_now
from fedprompt.workspace.serve.requests import REQUEST, ChatRequest, CompletionRequest
from fedprompt.workspace.site.init import site_init
from tests.peak_memory import megabytes_beyond

Door = Callable[[bytes, Path], object]
HERE = ImportContext()
RUN = "r1:" + "a" * 32


def _bundle(data: bytes, folder: Path, name: str = "bank.json") -> object:
    files = {"bank.json": b"{}", name: data}
    sums = {one: hashlib.sha256(content).hexdigest() for one, content in files.items()}
    for one, content in {"hashes.json": json.dumps({"algorithm": "sha256", "files": sums}).encode(), **files}.items():
        (folder / one).write_bytes(content)
    return Bundle().read(folder, HERE)


def _at(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _release(data: bytes, folder: Path) -> object:
    _at(folder / "release.json", data)
    return read_release(folder, federation="f", kit=folder)


def _pack(data: bytes, folder: Path) -> object:
    _at(folder / "pack.json", data)
    return open_pack(folder)


def _trial(data: bytes, folder: Path) -> object:
    trials = TrialFolder(Home(folder), "local")
    _at(folder / "playground" / "local" / "runs" / ("a" * 32) / "request.json", data)
    return read_trial(trials, "a" * 32)


def _reading(data: bytes, folder: Path) -> object:
    _at(folder / "sites" / "s" / "data" / "x.csv", b"text,label\n")
    _at(folder / "sites" / "s" / "data" / "x.csv.reading.json", data)
    (found,) = evaluation_sets(Home(folder))
    if found.reading is None:
        raise FedPromptError("chosen anew")
    return found


def _hub(data: bytes, folder: Path) -> object:
    _at(folder / "hub" / "hub.json", data)
    if "host" not in HubFolder(Home(folder)).about:
        raise FedPromptError("no hub's")
    return None


def _run(data: bytes, folder: Path) -> object:
    _at(folder / "rounds" / f"{RUN.replace(':', '-')}.json", data)
    return run_now(Home(folder), RUN)


def _tensors(name: str, data: bytes) -> bytes:
    return save({name: np.frombuffer(data, dtype=np.uint8)})


DOORS: dict[str, Door] = {
    "a reply": lambda data, _: unpack_reply(_tensors("reply", data)),
    "a task": lambda data, _: unpack_task(_tensors("task", data)),
    "a reply's header": lambda data, _: unpack_reply(len(data).to_bytes(8, "little") + data),
    "a bundle": _bundle,
    "a bundle's hashes": lambda data, folder: _bundle(data, folder, "hashes.json"),
    "a bundle's signature": lambda data, folder: _bundle(data, folder, "signature.json"),
    "a prompt's identity": lambda data, _: prompt_of(data, None, "x"),
    "a release": _release,
    "a pack": _pack,
    "an invitation": lambda data, folder: site_init(Home(folder), _at(folder / "invite.json", data)),
    "a hub's settings": _hub,
    "a record of a run": _run,
    "a policy": lambda data, folder: read_policy(_at(folder / "policy.json", data)),
    "a request to chat": lambda data, _: checked_json(TypeAdapter(ChatRequest), data, REQUEST),
    "a request to complete": lambda data, _: checked_json(CompletionRequest, data, REQUEST),
    "a playground's job": _trial,
    "how a file is read": _reading,
}


def _many_fields(size: int) -> bytes:
    return b'{"verb":"score","version":1,' + b",".join(b'"f%d":0' % n for n in range(size // 10)) + b"}"


def _many_objects(size: int) -> bytes:
    items = b",".join([b"{}"] * (size // 3))
    return b'{"verb":"score","prompts":[' + items + b'],"scores":[' + items + b"]}"


ATTACKS: dict[str, Callable[[int], bytes]] = {
    "unknown fields": _many_fields,
    "empty objects": _many_objects,
    "objects alone": lambda size: b"[" + b",".join([b"{}"] * (size // 3)) + b"]",
    "wrong members": lambda size: b'{"verb":"evaluate","files":[' + b"0," * (size // 2) + b'0],"scores":[0,0]}',
    "fields of fields": lambda size: b'{"files":{' + b",".join(b'"%x":0' % n for n in range(size // 10)) + b"}}",
    "depth": lambda size: b"[" * size,
    "depth in a field": lambda size: b'{"a":' * (size // 5),
    "a long number": lambda size: b'{"version":' + b"9" * size + b"}",
    "numbers of 4,000 digits": lambda size: b'{"prompts":[' + (b"9" * 4000 + b",") * (size // 4000) + b"0]}",
    "a long text": lambda size: b'{"verb":"' + b"x" * size + b'"}',
    "half a text": lambda size: b'{"' + b'\\"' * (size // 2),
    "spaces": lambda size: b" " * size,
    "a long key": lambda size: b'{"' + b"k" * size + b'":1}',
}


@pytest.mark.parametrize("attack", ["unknown fields", "empty objects"])
@pytest.mark.parametrize("door", DOORS)
def test_a_refusal_takes_little_more_than_the_message(tmp_path: Path, door: str, attack: str) -> None:
    _refused(DOORS[door], ATTACKS[attack](600_000), tmp_path, seconds=5.0, most=40)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("door", DOORS)
def test_a_refusal_of_megabytes_takes_no_gigabytes(tmp_path: Path, door: str, attack: str) -> None:
    _refused(DOORS[door], ATTACKS[attack](4_000_000), tmp_path, seconds=10.0, most=64)


def _refused(door: Door, data: bytes, folder: Path, *, seconds: float, most: float) -> None:
    said: list[str] = []

    def send() -> None:
        try:
            door(data, folder)
        except (FedPromptError, Unfit) as error:
            said.append(str(error))

    before = time.process_time()
    beyond = megabytes_beyond(send)
    assert time.process_time() - before < seconds
    assert beyond < 5 * len(data) / 1e6 + most  # a door may hold the message itself more than once
    assert said and len(said[0]) < 1500

"""Certificates, by NVFLARE's own tool: an authority at the hub, a key made where it is used, a request, an approval.

No private key travels: a request holds a certificate request and who asks, an approval the signed certificate and the
authority's own. The tool is run as a command, so that its checks of what comes from elsewhere are all run too.

Invariant: a request from elsewhere is read once. What is shown, compared and signed are the same bytes.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import yaml

from fedprompt.boundary.checked import Bounds, plain_json
from fedprompt.errors import FederationError
from fedprompt.federation.transports.flare.address import require_engine
from fedprompt.federation.transports.flare.strict_policy import restrict
from fedprompt.study.plain_yaml import YamlProblem, read_yaml

__all__ = ["Asked", "approve", "authority", "install", "read_request", "request"]

SECONDS = 120
MAX_REQUEST_BYTES = 1024 * 1024
ADMIN = "hub@fedprompt.local"
_REQUEST = Bounds(64 * 1024, values=200, nested=20, members=50, depth=4)


@dataclass(frozen=True)
class Asked:
    """A request that was read: who asks, for which ``kind`` of certificate, and its bytes.

    ``fingerprint`` is of the certificate request, as groups of four hexadecimal digits.
    """

    name: str
    kind: str
    fingerprint: str
    data: bytes


def authority(folder: Path, *, federation: str, host: str, port: int, admin_port: int, final: Path) -> str:
    """Make the federation's authority and the hub's own two kits under ``folder``; return the authority's fingerprint.

    Args:
        final: what ``folder`` will be called once all is made.

    Raises:
        FederationError: NVFLARE is not installed, or refused.
    """
    profile = folder / "profile.yaml"
    _yaml(
        profile,
        {
            "name": federation,
            "scheme": "grpc",
            "connection_security": "mtls",
            "server": {"host": host, "fed_learn_port": port, "admin_port": admin_port},
        },
    )
    # No --org: NVFLARE 2.9.0 leaves it out of what it signs as the issuer, and then no chain can be verified.
    _tool(folder, "cert", "init", "--profile", profile, "-o", folder / "ca")
    found = json.loads((folder / "ca" / "ca.json").read_text(encoding="utf-8"))["rootCA_fingerprint"]
    for kind, participant in (
        ("server", {"name": host, "type": "server", "org": "hub"}),
        ("admin", {"name": ADMIN, "type": "admin", "org": "hub", "role": "lead"}),
    ):
        asked = read_request(_request(folder / "own" / kind, federation, participant))
        approve(folder, asked, folder / "own" / f"{kind}.zip")
        install(folder / "own" / f"{kind}.zip", folder / "own" / kind, str(found), folder / f"kit-{kind}", kind)
    _rename(folder / "kit-server", folder, final)
    return str(found)


def request(folder: Path, *, federation: str, site: str, org: str) -> Path:
    """Make a site's key and its request in ``folder`` and return the request's file.

    Raises:
        FederationError: NVFLARE is not installed, or refused.
    """
    return _request(folder, federation, {"name": site, "type": "client", "org": org})


def read_request(path: Path) -> Asked:
    """Read a request, once.

    Raises:
        FederationError: the file is no request.
    """
    try:
        if not path.is_file():
            raise FederationError(
                f"{path} is not a request from 'fedprompt site init'; give the file that you received",
                code="not-a-request",
            )
        with path.open("rb") as file:
            data = file.read(MAX_REQUEST_BYTES + 1)
        if len(data) > MAX_REQUEST_BYTES:
            raise FederationError(f"{path} is too large for a request", code="too-large")
        with zipfile.ZipFile(BytesIO(data)) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".csr"))
            if archive.getinfo(name).file_size > MAX_REQUEST_BYTES:
                raise FederationError(f"{path} is too large for a request", code="too-large")
            digest = hashlib.sha256(archive.read(name)).hexdigest()[:32]
            with archive.open("request.json") as about:
                said = plain_json(about.read(_REQUEST.size + 1), _REQUEST)
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise FederationError(f"{path} is not a request from 'fedprompt site init'", code="not-a-request") from error
    kind = said.get("cert_type") if isinstance(said, dict) else None
    shown = " ".join(digest[at : at + 4] for at in range(0, 32, 4))
    return Asked(name.removesuffix(".csr"), kind if isinstance(kind, str) else "", shown, data)


def approve(folder: Path, asked: Asked, out: Path) -> None:
    """Sign a request with the authority under ``folder`` and write the kit to ``out``.

    Raises:
        FederationError: the request is damaged, or asks for another federation.
    """
    with tempfile.TemporaryDirectory(dir=folder) as own:  # mode 0700, and nobody else writes there
        copy = Path(own) / "asked.request.zip"
        copy.write_bytes(asked.data)
        _tool(
            folder, "cert", "approve", copy, "-c", folder / "ca", "--profile", folder / "profile.yaml",
            "--out", out, "--force",
        )  # fmt: skip


def install(kit: Path, requested: Path, authority_fingerprint: str, out: Path, kind: str) -> None:
    """Join a kit with the key that was made for it, check the authority's fingerprint, and write hardened files.

    Args:
        kind: ``server``, ``client`` or ``admin``.

    Raises:
        FederationError: the kit is for another key, of another authority, or no file.
    """
    try:
        if kit.exists() and not kit.is_file():  # a pipe that nobody writes to never ends
            raise FederationError(f"{kit} is not a file; give the kit that you received", code="not-a-file")
        if kit.stat().st_size > MAX_REQUEST_BYTES:
            raise FederationError(f"{kit} is too large for a kit", code="too-large")
        data = kit.read_bytes()
    except OSError as error:
        raise FederationError(f"{kit}: the kit cannot be read ({error.strerror})", code="cannot-read") from error
    work = out.with_name(f".{out.name}.{os.getpid()}")
    work.mkdir(mode=0o700)
    signed = work / "kit.signed.zip"  # the tool goes by the name
    signed.write_bytes(data)
    _tool(
        requested, "package", signed, "-w", work, "--request-dir", requested,
        "--fingerprint", authority_fingerprint,
    )  # fmt: skip
    (made,) = (path.parent for path in work.glob("*/prod_*/*/startup"))
    restrict(made, kind, _asked(requested / "site.yaml"))
    _rename(made, made, out)
    os.replace(made, out)
    _remove(work)


def _asked(path: Path) -> dict[str, str]:
    """Return name and organisation of the participant that a request is for."""
    try:
        found = read_yaml(path.read_bytes()).value["participants"][0]
        return {"name": str(found["name"]), "org": str(found["org"])}
    except YamlProblem as error:
        raise FederationError(f"{path} line {error.line}: {error.reason}", code="not-well-formed") from error
    except OSError as error:
        raise FederationError(f"{path}: the request cannot be read ({error.strerror})", code="cannot-read") from error
    except (TypeError, LookupError) as error:
        raise FederationError(f"{path} names no participant; create the request again", code="not-a-request") from error


def _rename(kit: Path, old: Path, new: Path) -> None:
    """Have the files of a kit name the folder that it will lie in."""
    for path in (kit / "local").glob("*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace(f"{old}/", f"{new}/"), encoding="utf-8")


def _request(folder: Path, federation: str, participant: dict[str, str]) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.parent / f"{folder.name}.yaml"
    _yaml(about, {"name": federation, "participants": [participant]})
    _tool(folder, "cert", "request", "-p", about, "--out", folder, "--force")
    (found,) = folder.glob("*.request.zip")
    return found


def _tool(home: Path, *words: str | Path) -> None:
    """Run NVFLARE's tool with a home of its own, since it keeps an audit there."""
    require_engine()
    command: Sequence[str] = [sys.executable, "-m", "nvflare.cli", *map(str, words)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            env={**os.environ, "HOME": str(home)},
        )
    except subprocess.TimeoutExpired as error:
        raise FederationError(f"NVFLARE's tool did not finish within {SECONDS} s", code="nvflare-refused") from error
    if done.returncode != 0:
        said = " ".join((done.stdout + done.stderr).split())[-600:]
        raise FederationError(
            f"NVFLARE's tool refused '{' '.join(map(str, words[:2]))}': {said}", code="nvflare-refused"
        )


def _yaml(path: Path, value: object) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)

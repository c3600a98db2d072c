"""A release: the federation's result as one signed zip, for the sites to pull. Who signed it is known without asking.

``bundle/`` is a bundle as ``export`` writes it. ``release.json`` says of which federation, study and run it is and
which prompts were nominated; it holds the SHA-256 of the bundle's ``hashes.json``, the hub's Ed25519 signature over all
of this, and the authority's word for the hub's key. A site knows the authority since it joined. Invariant: what
:func:`read_release` returns was signed by the hub that admitted the site, and has not changed since. ``number`` rises
from one release of a hub to the next, so that a site tells an old one that is shown again (``accepted_releases``).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import ExportError, FederationError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.bundle import read_bundle, write_bundle
from fedprompt.exports.protocol import ExportContext, Exported, Imported
from fedprompt.exports.writing import json_text, publishing, write_text
from fedprompt.prompts.ids import canonical_json
from fedprompt.study.schema import Closed
from fedprompt.trust.signing import Signer, fingerprint, is_signed

__all__ = ["Opened", "Release", "read_release", "write_release"]

SIGNED = b"fedprompt release 1\n"
VOUCHED = b"fedprompt release key 1\n"
MAX_RELEASE_BYTES = 64 * 1024 * 1024
MAX_JSON_BYTES = 64 * 1024
_RELEASE = Bounds(MAX_JSON_BYTES, values=50, nested=2, members=20, depth=2)
PromptId = Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{2,2048}$")]


class Release(Closed):
    """``release.json``; ``release 1`` is of versions whose releases had no number, which is 0."""

    fedprompt: Literal["release 1", "release 2"]
    federation: Annotated[str, StringConstraints(max_length=60)]
    study: Annotated[str, Field(pattern=r"^s1:[0-9a-f]{32}$")]
    run: Annotated[str, Field(pattern=r"^r1:[0-9a-f]{32}$")]
    made: Annotated[str, StringConstraints(max_length=40)]
    number: Annotated[int, Field(ge=0, lt=2**53)] = 0
    prompts: Annotated[dict[Literal["manual", "federated"], PromptId], Field(min_length=1)]
    bundle: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    authority: Hex
    signature: Hex = ""

    @property
    def signed(self) -> bytes:
        """What the hub's signature is over."""
        left_out = {"signature"} | ({"number"} if self.fedprompt == "release 1" else set())
        return SIGNED + canonical_json(self.model_dump(mode="json", exclude=left_out))

    @property
    def vouched(self) -> bytes:
        """What the authority's signature is over."""
        return vouched(self.federation, self.key)


@dataclass(frozen=True)
class Opened:
    """A release that was checked: what it says, and its prompts. ``signer`` is the fingerprint of the hub's key."""

    release: Release
    prompts: Mapping[str, Imported]
    signer: str


def vouched(federation: str, key: str) -> bytes:
    """Return what the authority signs of a hub's key."""
    return VOUCHED + canonical_json([federation, key])


def write_release(
    destination: Path,
    items: Sequence[Exported],
    context: ExportContext,
    signer: Signer,
    authority: bytes,
    **about: Any,
) -> Release:
    """Write a release's zip and return what it says.

    Args:
        destination: ends in ``.zip``.
        context: what the bundle is signed by, too.
        authority: the authority's signature of :func:`vouched`.
        about: ``federation``, ``study``, ``run``, ``made``, ``number`` and ``prompts``.

    Raises:
        ExportError: it cannot be written.
    """
    with publishing(destination) as folder:
        (folder / "bundle").mkdir()
        write_bundle(folder / "bundle", items, context)
        digest = hashlib.sha256((folder / "bundle" / "hashes.json").read_bytes()).hexdigest()
        body = Release(
            fedprompt="release 2", bundle=digest, key=signer.key, authority=authority.hex(), signature="00", **about
        )
        body = body.model_copy(update={"signature": signer.sign(body.signed).hex()})
        write_text(folder / "release.json", json_text(body.model_dump(mode="json")))
    return body


def read_release(path: Path, *, federation: str, kit: Path) -> Opened:
    """Return a release once all of it was checked.

    Args:
        federation: the one that the site joined.
        kit: the site's, with the authority's certificate.

    Raises:
        FederationError: it is of another federation, or was not signed by this one's hub.
        ExportError: it is damaged, hostile or no release.
    """
    from fedprompt.federation.transports.flare.vouch import is_vouched

    if path.is_file() and path.stat().st_size > MAX_RELEASE_BYTES:
        raise ExportError(f"{path}: larger than {MAX_RELEASE_BYTES:,} bytes, which no release is", code="too-large")
    with open_archive(path) as archive:
        if stray := [name for name in archive.names if name != "release.json" and not name.startswith("bundle/")]:
            raise ExportError(f"{path}: {stray[0]} is no file of a release; refused", code="stray-file")
        try:
            body = checked_json(Release, archive.read("release.json", MAX_JSON_BYTES), _RELEASE, strict=True)
        except Unfit as error:
            raise ExportError(f"{path}: release.json, {error}", code="not-well-formed") from None
        if body.fedprompt == "release 1" and body.number:  # the signature of these says nothing of a number
            raise ExportError(
                f"{path}: release.json, number: a release of this version has none; refused", code="not-well-formed"
            )
        if body.federation != federation:
            raise FederationError(
                f"{path}: a release of '{body.federation}', and this site joined '{federation}'",
                code="other-federation",
            )
        if not is_vouched(kit, body.vouched, _bytes(body.authority)):
            raise FederationError(
                f"{path}: the authority of '{federation}' does not vouch for the key {fingerprint(body.key)} that "
                "signed it, so somebody else made it; ask the hub's operator for the file",
                code="made-by-others",
            )
        if not is_signed(body.key, body.signed, _bytes(body.signature)):
            raise FederationError(
                f"{path}: it was changed after the hub signed it; ask its operator for the file again", code="changed"
            )
        inner = archive.under("bundle")
        if hashlib.sha256(inner.read("hashes.json", MAX_JSON_BYTES * 64)).hexdigest() != body.bundle:
            raise FederationError(
                f"{path}: its bundle is another than the hub signed; ask its operator for the file", code="changed"
            )
        prompts = {one.prompt.id: one for one in read_bundle(inner)}
    if missing := set(body.prompts.values()) - set(prompts):
        raise ExportError(
            f"{path}: the nominated prompt {sorted(missing)[0]} is not in it; refused", code="nominated-missing"
        )
    return Opened(body, prompts, fingerprint(body.key))


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""

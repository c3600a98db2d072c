"""A release: the federation's result as one signed zip, for the sites to pull. Who signed it is known without asking.

``bundle/`` is a bundle as ``export`` writes it. ``release.json`` says of which federation, study and run it is and
which prompts were nominated; it holds the SHA-256 of the bundle's ``hashes.json``, the hub's Ed25519 signature over all
of this, and the authority's word for the hub's key. A site knows the authority since it joined. Where soft prompts were
tuned, ``pack.json`` lies beside it, signed by its SHA-256, and earlier packs that no site should go on using are named.
Invariant: what :func:`read_release` returns was signed by the hub that admitted the site, and has not changed since.
``number`` rises from one release of a hub to the next, so that a site tells an old one that is shown again
(``accepted_releases``).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import ExportError, FederationError
from fedprompt.exports.archive import Archive, open_archive
from fedprompt.exports.bundle import read_bundle, write_bundle
from fedprompt.exports.protocol import ExportContext, Exported, Imported
from fedprompt.exports.writing import json_text, publishing, write_text
from fedprompt.prompts.ids import canonical_json
from fedprompt.study.schema import Closed
from fedprompt.trust.signing import Signer, fingerprint, is_signed
from fedprompt.workspace.exchange.pack_files import (
    MAX_PACK_JSON_BYTES,
    PACK_FILE,
    OpenedPack,
    checked_members,
    pack_of,
    write_pack_json,
)
from fedprompt.workspace.exchange.pack_schema import Pack, PackId

__all__ = ["Opened", "Release", "is_release", "read_release", "write_release"]

SIGNED = b"fedprompt release 1\n"
VOUCHED = b"fedprompt release key 1\n"
MAX_RELEASE_BYTES = 64 * 1024 * 1024
MAX_JSON_BYTES = 64 * 1024
MOST_SUPERSEDED = 1_000
RELEASE_FILE = "release.json"
_RELEASE = Bounds(MAX_JSON_BYTES, values=50 + MOST_SUPERSEDED, nested=3, members=20, depth=2)
PromptId = Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{2,2048}$")]


class Release(Closed):
    """``release.json``; ``release 1`` is of versions whose releases had no number, which is 0.

    Only ``release 3`` has a ``pack``, the SHA-256 of ``pack.json``, and names packs that it has ``superseded``.
    """

    fedprompt: Literal["release 1", "release 2", "release 3"]
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
    pack: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    superseded: Annotated[tuple[PackId, ...], Field(max_length=MOST_SUPERSEDED)] = ()

    @property
    def signed(self) -> bytes:
        """What the hub's signature is over."""
        left_out = {"signature", *UNSIGNED.get(self.fedprompt, ())}
        return SIGNED + canonical_json(self.model_dump(mode="json", exclude=left_out))

    @property
    def vouched(self) -> bytes:
        """What the authority's signature is over."""
        return vouched(self.federation, self.key)


# What the signature of an earlier form says nothing of, and such a release therefore does not have.
UNSIGNED = {"release 1": ("number", "pack", "superseded"), "release 2": ("pack", "superseded")}


@dataclass(frozen=True)
class Opened:
    """A release that was checked: what it says, its prompts, and its pack if it has one.

    ``signer`` is the fingerprint of the hub's key.
    """

    release: Release
    prompts: Mapping[str, Imported]
    signer: str
    pack: OpenedPack | None = None


def vouched(federation: str, key: str) -> bytes:
    """Return what the authority signs of a hub's key."""
    return VOUCHED + canonical_json([federation, key])


def write_release(
    destination: Path,
    items: Sequence[Exported],
    context: ExportContext,
    signer: Signer,
    authority: bytes,
    pack: Pack | None = None,
    superseded: Sequence[str] = (),
    **about: Any,
) -> Release:
    """Write a release's zip and return what it says.

    Args:
        destination: ends in ``.zip``.
        items: what goes into the bundle, the pack's members among them.
        context: what the bundle is signed by, too.
        authority: the authority's signature of :func:`vouched`.
        pack: the shared prompts, if there are any.
        superseded: the ids of earlier packs that are not to be used any more.
        about: ``federation``, ``study``, ``run``, ``made``, ``number`` and ``prompts``.

    Raises:
        ExportError: it cannot be written.
    """
    with publishing(destination) as folder:
        (folder / "bundle").mkdir()
        write_bundle(folder / "bundle", items, context)
        digest = hashlib.sha256((folder / "bundle" / "hashes.json").read_bytes()).hexdigest()
        if pack is not None:
            checked_members(pack, {item.prompt.id: item.prompt for item in items}, destination)
        body = Release(
            # Sites of earlier versions read the form before, so where it says as much it is written.
            fedprompt="release 2" if pack is None and not superseded else "release 3",
            bundle=digest,
            key=signer.key,
            authority=authority.hex(),
            signature="00",
            pack=None if pack is None else write_pack_json(folder, pack),
            superseded=tuple(superseded),
            **about,
        )
        body = body.model_copy(update={"signature": signer.sign(body.signed).hex()})
        left_out = set(UNSIGNED.get(body.fedprompt, ()))
        write_text(folder / RELEASE_FILE, json_text(body.model_dump(mode="json", exclude=left_out)))
    return body


def is_release(path: Path) -> Release | None:
    """Return what a release says before anything of it is checked but its form; None where it is no release.

    Raises:
        ExportError: it is damaged or hostile.
    """
    with open_archive(path) as archive:
        return _body(archive) if RELEASE_FILE in archive.names else None


def read_release(path: Path, *, federation: str, kit: Path | None) -> Opened:
    """Return a release once all of it was checked.

    Args:
        federation: the one that the site joined.
        kit: the site's, with the authority's certificate; None in a home that joined no such federation, where only
            what the key that the release names has signed is known.

    Raises:
        FederationError: it is of another federation, or was not signed by this one's hub.
        ExportError: it is damaged, hostile or no release.
    """
    from fedprompt.federation.transports.flare.vouch import is_vouched

    if path.is_file() and path.stat().st_size > MAX_RELEASE_BYTES:
        raise ExportError(
            f"{path} is larger than {MAX_RELEASE_BYTES:,} bytes, the limit of a release", code="too-large"
        )
    with open_archive(path) as archive:
        files = {RELEASE_FILE, PACK_FILE}
        if stray := [name for name in archive.names if name not in files and not name.startswith("bundle/")]:
            raise ExportError(f"{path}: {stray[0]} does not belong in a release; refused", code="stray-file")
        body = _body(archive)
        if body.federation != federation:
            raise FederationError(
                f"{path}: this is a release of '{body.federation}', but this site joined '{federation}'",
                code="other-federation",
            )
        if kit is not None and not is_vouched(kit, body.vouched, _bytes(body.authority)):
            raise FederationError(
                f"{path}: the certificate authority of '{federation}' did not certify the signing key "
                f"{fingerprint(body.key)}, so someone else made it; ask the hub's operator for the file",
                code="made-by-others",
            )
        if not is_signed(body.key, body.signed, _bytes(body.signature)):
            raise FederationError(
                f"{path}: it was changed after the hub signed it; ask its operator for the file again", code="changed"
            )
        inner = archive.under("bundle")
        if hashlib.sha256(inner.read("hashes.json", MAX_JSON_BYTES * 64)).hexdigest() != body.bundle:
            raise FederationError(
                f"{path}: its bundle is not the one that the hub signed; ask its operator for the file", code="changed"
            )
        said = _pack_of(archive, body)
        prompts = {one.prompt.id: one for one in read_bundle(inner)}
    if missing := set(body.prompts.values()) - set(prompts):
        raise ExportError(
            f"{path}: the nominated prompt {sorted(missing)[0]} is missing; refused", code="nominated-missing"
        )
    pack = None
    if said is not None:
        members = checked_members(said, {id: one.prompt for id, one in prompts.items()}, path)
        pack = OpenedPack(said, members, path)
    return Opened(body, prompts, fingerprint(body.key), pack)


def _body(archive: Archive) -> Release:
    """Return what a release says, its form checked and nothing else."""
    path = archive.path
    try:
        body = checked_json(Release, archive.read(RELEASE_FILE, MAX_JSON_BYTES), _RELEASE, strict=True)
    except Unfit as error:
        raise ExportError(f"{path}: {RELEASE_FILE}, {error}", code="not-well-formed") from None
    for name in UNSIGNED.get(body.fedprompt, ()):  # the signature of such a release says nothing of it
        if getattr(body, name):
            raise ExportError(
                f"{path}: {RELEASE_FILE}, {name}: unknown in a release of this version; refused", code="not-well-formed"
            )
    return body


def _pack_of(archive: Archive, body: Release) -> Pack | None:
    """Return the pack that a release signs, None where it has none; its members are not looked at."""
    if (PACK_FILE in archive.names) != (body.pack is not None):
        raise ExportError(
            f"{archive.path}: {PACK_FILE} is {'present but not signed' if body.pack is None else 'missing'}; refused",
            code="stray-file" if body.pack is None else "file-missing",
        )
    if body.pack is None:
        return None
    if hashlib.sha256(archive.read(PACK_FILE, MAX_PACK_JSON_BYTES)).hexdigest() != body.pack:
        raise FederationError(
            f"{archive.path}: its pack is not the one that the hub signed; ask its operator for the file",
            code="changed",
        )
    pack = pack_of(archive)
    if pack.digest != body.study:
        raise ExportError(
            f"{archive.path}: its pack belongs to another study than the release ({pack.digest}); refused",
            code="other-study",
        )
    return pack


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""

"""``hub release``: signs the result of a federation for its sites, and hands it to those that are connected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fedprompt.bank.rows import RunRow
from fedprompt.errors import FederationError
from fedprompt.exports.protocol import ExportContext, Exported
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.exchange.exporting import gathered
from fedprompt.workspace.exchange.release import vouched, write_release
from fedprompt.workspace.hub.given_packs import left_sites, next_number, record_pack, superseded_packs
from fedprompt.workspace.hub.made_pack import MadePack, make_pack
from fedprompt.workspace.json_file import now
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.workspace import Workspace

__all__ = ["Released", "hub_release", "next_number"]

DELIVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Released:
    """A release that was written: ``release`` is the file, ``per_site`` whether the sites' own scores are in it.

    ``number`` rises from release to release. ``prompts`` are those that the run nominated, and ``sent`` is site ->
    "received", or why not. ``pack`` is the id of the shared prompts, ``members`` how many of each kind; ``superseded``
    are earlier packs that hold what a site gave before it left. ``notes``: what is not as it could be, in sentences.
    """

    release: str
    federation: str
    study: str
    run: str
    number: int
    prompts: Mapping[str, str]
    signer: str
    per_site: bool
    sent: Mapping[str, str]
    pack: str | None = None
    members: Mapping[str, int] = field(default_factory=dict)
    superseded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def hub_release(
    ws: Workspace, *, run: str | None = None, out: Path | None = None, send: bool = False, sites: Sequence[str] = ()
) -> Released:
    """Write a signed release of a finished run: its nominated prompts, what they score, and a pack of shared prompts.

    Scores of single sites are in it only where the study's ``privacy.scores`` says ``sites``, and prompts that sites
    tuned alone only where its ``rounds.released`` says so. Where a site has left, earlier packs that hold what it gave
    are named as superseded.

    Args:
        run: its id or the beginning of one; the newest finished federation if None.
        out: the zip to write, ``STUDY.release.zip`` if None.
        send: hand it to the sites that are connected now.
        sites: to whom; everyone who was admitted if none is named.

    Raises:
        FederationError: this home is no hub, no such run is finished, or its engine does not run.
        ExportError: the file cannot be written.
    """
    from fedprompt.federation.transports.flare.vouch import vouch

    folder = HubFolder(ws.home)
    about, chosen = folder.about, _finished(ws, run)
    named = _nominated(chosen)
    study = ws.bank.study(chosen.study)
    if not named:
        raise FederationError(
            f"run {chosen.id} nominated no prompt, so there is nothing to release", code="nothing-nominated"
        )
    made = make_pack(ws, chosen, study, left_sites(folder))
    items = gathered(ws, list(dict.fromkeys([*named.values(), *(made.ids if made else ())])))
    shared = study.study.privacy.scores == "sites"
    if not shared:
        items = [_without_sites(item, made) for item in items]
    superseded = [id for id in superseded_packs(folder) if made is None or id != made.pack.id]
    signer = home_signer(ws.home)
    path = out or Path(f"{study.study.study}.release.zip".replace(" ", "-"))
    body = write_release(
        path,
        items,
        ExportContext(None, study.study.model, study.model_digest, signer),
        signer,
        vouch(folder.path, vouched(about["federation"], signer.key)),
        None if made is None else made.pack,
        superseded,
        federation=about["federation"],
        study=chosen.study,
        run=chosen.id,
        made=now(),
        number=next_number(folder),
        prompts=named,
    )
    if made is not None:
        record_pack(folder, made.pack.id, number=body.number, donors=made.donors)
    sent = _deliver(ws, path.read_bytes(), sites or folder.sites()) if send else {}
    return Released(
        release=str(path),
        federation=body.federation,
        study=body.study,
        run=body.run,
        number=body.number,
        prompts={str(name): prompt for name, prompt in body.prompts.items()},
        signer=signer.fingerprint,
        per_site=shared,
        sent=sent,
        pack=None if made is None else made.pack.id,
        members=Counter(member.kind for member in made.pack.members) if made else {},
        superseded=tuple(superseded),
        notes=made.notes if made else (),
    )


def _nominated(run: RunRow) -> dict[str, str]:
    """Return the prompts of all sites; what a site tuned alone, to compare, is not released."""
    found = (run.result or {}).get("prompts") or {}
    return {name: str(found[name]) for name in ("manual", "federated") if name in found}


def _finished(ws: Workspace, wanted: str | None) -> RunRow:
    done = [row for row in ws.bank.runs(kind="federate") if row.result is not None]
    if wanted is not None:
        done = [row for row in done if row.id.startswith(wanted) or row.id.startswith(f"r1:{wanted}")]
    if not done:
        told = "no federation has finished here" if wanted is None else f"no finished federation has the id {wanted}"
        raise FederationError(f"{told}; run one with 'fedprompt federate'", code="no-finished-run")
    return done[0]


def _without_sites(item: Exported, made: MadePack | None) -> Exported:
    """Return a prompt without what single sites score; of a donor's own, without whose it is and how it does there."""
    donors = {member.prompt for member in made.pack.members if member.kind == "donor"} if made else set()
    reading = replace(item.reading, scores={}, cases={})
    if item.prompt.id not in donors:
        return replace(item, reading=reading, lines=())
    return replace(item, reading=replace(reading, mean=None, low=None, high=None, split=None), origin=None, lines=())


def _deliver(ws: Workspace, data: bytes, sites: Sequence[str]) -> dict[str, str]:
    from fedprompt.federation.transports.flare.transport import FlareTransport

    with FlareTransport(partial(running_hub, ws.home), sites, deadline=DELIVERY_SECONDS) as transport:
        return {site: transport.deliver(site, data) for site in transport.sites}

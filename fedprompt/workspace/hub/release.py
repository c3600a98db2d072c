"""``hub release``: signs the result of a federation for its sites, and hands it to those that are connected."""

import fcntl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fedprompt.bank.rows import RunRow
from fedprompt.errors import FederationError
from fedprompt.exports.protocol import ExportContext, Exported
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.exchange.exporting import gathered
from fedprompt.workspace.exchange.release import vouched, write_release
from fedprompt.workspace.json_file import now, read_json, write_json
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.workspace import Workspace

__all__ = ["Released", "hub_release", "next_number"]

DELIVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Released:
    """A release that was written: ``release`` is the file, ``per_site`` whether the sites' own scores are in it.

    ``number`` rises from release to release. ``prompts`` are those that the run nominated, and ``sent`` is site ->
    "received", or why not.
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


def hub_release(
    ws: Workspace, *, run: str | None = None, out: Path | None = None, send: bool = False, sites: Sequence[str] = ()
) -> Released:
    """Write a signed release of a finished run: its nominated prompts, and what they score.

    Scores of single sites are in it only where the study's ``privacy.scores`` says ``sites``.

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
    items = gathered(ws, list(dict.fromkeys(named.values())))
    shared = study.study.privacy.scores == "sites"
    if not shared:
        items = [_without_sites(item) for item in items]
    signer = home_signer(ws.home)
    path = out or Path(f"{study.study.study}.release.zip".replace(" ", "-"))
    body = write_release(
        path,
        items,
        ExportContext(None, study.study.model, study.model_digest, signer),
        signer,
        vouch(folder.path, vouched(about["federation"], signer.key)),
        federation=about["federation"],
        study=chosen.study,
        run=chosen.id,
        made=now(),
        number=next_number(folder),
        prompts=named,
    )
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
        told = "no federation is finished here" if wanted is None else f"no finished federation has the id {wanted}"
        raise FederationError(f"{told}; 'fedprompt federate' runs one to its end", code="no-finished-run")
    return done[0]


def _without_sites(item: Exported) -> Exported:
    return replace(item, reading=replace(item.reading, scores={}, cases={}), lines=())


def _deliver(ws: Workspace, data: bytes, sites: Sequence[str]) -> dict[str, str]:
    from fedprompt.federation.transports.flare.transport import FlareTransport

    with FlareTransport(partial(running_hub, ws.home), sites, deadline=DELIVERY_SECONDS) as transport:
        return {site: transport.deliver(site, data) for site in transport.sites}


def next_number(folder: HubFolder) -> int:
    """Return a number above those of all releases so far; it is on disk before it is returned.

    It is the time in seconds where that is higher, so that a hub restored from a backup goes on above what it gave
    out since; a clock that goes back makes it rise by one.
    """
    path = folder.path / "releases.json"
    with (folder.path / "releases.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = max(int((read_json(path) or {}).get("number", 0)) + 1, int(time.time()))
        write_json(path, {"number": number})
    return number

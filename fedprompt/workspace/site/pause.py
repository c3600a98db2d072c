"""``site pause`` and ``site status``: stop answering without ending the worker, and say how things stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fedprompt.errors import DataError, LedgerError
from fedprompt.models.chat.cost import Tally
from fedprompt.site.budgets import Budget, budgets_of
from fedprompt.site.call_bill import Role
from fedprompt.site.policy import Policy
from fedprompt.site.standing import notes
from fedprompt.trust.signing import site_identity
from fedprompt.workspace.as_json import INLINE
from fedprompt.workspace.bills.paid import ModelPaid
from fedprompt.workspace.cases.entered_cases import CasesNow, cases_now
from fedprompt.workspace.enrolled.site_folder import EnrolledSite, enrolled
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, write_json
from fedprompt.workspace.site.permitted import ModelLoaded, model_loaded

__all__ = ["LedgerBroken", "LedgerCounts", "SitePause", "SiteStatus", "StudyStatus", "site_pause", "site_status"]


@dataclass(frozen=True)
class SitePause:
    """Whether a site refuses every task."""

    site: str
    paused: bool


@dataclass(frozen=True)
class StudyStatus:
    """An accepted study, when it was accepted, which model it ``loads``, and how its ``cases`` stand.

    ``models`` and ``judges``: what calls of chat models and of judges took for it so far.
    """

    digest: str
    study: str
    accepted: str
    loads: ModelLoaded = field(metadata=INLINE)
    cases: CasesNow | None
    models: tuple[ModelPaid, ...]
    judges: tuple[ModelPaid, ...]


@dataclass(frozen=True)
class LedgerCounts:
    """How many entries a ledger has, by decision, and all ``bytes``; ``head`` is None where it has none."""

    ok: Literal[True]
    entries: int
    sent: int
    resent: int
    refused: int
    bytes: int
    head: str | None


@dataclass(frozen=True)
class LedgerBroken:
    """A ledger whose chain does not hold, and the sentence that says where."""

    ok: Literal[False]
    problem: str


@dataclass(frozen=True)
class SiteStatus:
    """Where a site stands. ``hub`` is ``host:port``, ``running`` the process that answers, None where none does.

    ``notes`` say what of its folder was lost or comes from a backup, and what to do. ``identity`` is the fingerprint of
    its key, None where the key cannot be read. ``budgets``: what sets of its cases have spent of budgets of privacy.
    """

    site: str
    federation: str
    hub: str
    joined: bool
    running: int | None
    paused: bool
    studies: tuple[StudyStatus, ...]
    policy: Policy
    ledger: LedgerCounts | LedgerBroken
    notes: tuple[str, ...] = ()
    identity: str | None = None
    budgets: tuple[Budget, ...] = ()


def site_pause(home: Home, *, on: bool, site: str | None = None) -> SitePause:
    """Refuse every task from now on, or take tasks again; a running worker heeds it at its next task."""
    chosen = enrolled(home, site)
    if on:
        write_json(chosen.folder.pause, {"since": now()})
    else:
        chosen.folder.pause.unlink(missing_ok=True)
    return SitePause(chosen.name, paused=on)


def site_status(home: Home, *, site: str | None = None) -> SiteStatus:
    """Return where a site stands: joined, running, paused, accepted studies, replies sent, the ledger's head.

    Raises:
        FederationError: this home has no such site.
    """
    chosen = enrolled(home, site)
    about, running = chosen.about, chosen.running
    ledger: LedgerCounts | LedgerBroken
    try:
        entries = chosen.folder.ledger.entries()
        ledger = LedgerCounts(
            ok=True,
            entries=len(entries),
            sent=sum(entry.decision == "sent" for entry in entries),
            resent=sum(entry.decision == "resent" for entry in entries),
            refused=sum(entry.decision == "refused" for entry in entries),
            bytes=sum(entry.size for entry in entries),
            head=entries[-1].hash if entries else None,
        )
        told, spent = notes(chosen.folder), budgets_of(chosen.folder)
    except LedgerError as error:
        ledger, told, spent = LedgerBroken(ok=False, problem=str(error)), (), ()
    bills = chosen.folder.bill.read()
    return SiteStatus(
        site=chosen.name,
        federation=about["federation"],
        hub=f"{about['host']}:{about['port']}",
        joined=chosen.kit.exists(),
        running=None if running is None else running["pid"],
        paused=chosen.folder.pause.exists(),
        studies=tuple(
            StudyStatus(
                digest=a.digest,
                study=a.study.study,
                accepted=a.accepted,
                loads=model_loaded(home, chosen.folder.policy, a),
                cases=cases_now(chosen.folder, a.study.study),
                models=_took(bills.get(a.digest, {}), "model"),
                judges=_took(bills.get(a.digest, {}), "judge"),
            )
            for a in chosen.accepted()
        ),
        policy=chosen.folder.policy,
        ledger=ledger,
        notes=told,
        identity=_identity(chosen),
        budgets=spent,
    )


def _identity(site: EnrolledSite) -> str | None:
    try:
        return site_identity(site.folder.key)
    except DataError:
        return None


def _took(bill: Mapping[tuple[Role, str], Tally], role: Role) -> tuple[ModelPaid, ...]:
    return tuple(ModelPaid.of(name, took) for (own, name), took in sorted(bill.items()) if own == role)

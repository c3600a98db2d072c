"""``site rehearse``: every verb on the real file through the real gate, into a folder that is thrown away.

Nothing is sent. The test split is left alone: a look at it is for the nominated prompts.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.models.chat.config import chat_settings, is_chat, read_machine
from fedprompt.models.registry import load
from fedprompt.prompts.tensors import Tensors
from fedprompt.site.folder import ENTERED, SiteFolder
from fedprompt.site.policy import Policy, write_policy
from fedprompt.stopping import NEVER, StopToken
from fedprompt.verbs.registry import VERBS
from fedprompt.verbs.verb import Rehearsal
from fedprompt.verbs.wire import unpack_reply
from fedprompt.workspace.bills.judge_bill import judge_paid
from fedprompt.workspace.bills.paid import ModelPaid
from fedprompt.workspace.bills.scorer_resources import scorer_resources
from fedprompt.workspace.enrolled.site_folder import Accepted, EnrolledSite, enrolled
from fedprompt.workspace.home import Home
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.rounds.start_prompt import start_of
from fedprompt.workspace.site.run import open_worker

__all__ = ["Rehearsed", "WouldLeave", "site_rehearse"]


@dataclass(frozen=True)
class WouldLeave:
    """A reply that would have left: its ``message``, its arrays by name with their shapes, and what making it took."""

    message: Mapping[str, Any]
    arrays: Mapping[str, list[int]]
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Rehearsed:
    """What would have left of a study, in all ``bytes``; ``sent`` is 0, and ``not_rehearsed`` says of what and why."""

    site: str
    study: str
    digest: str
    sent: int
    would_leave: tuple[WouldLeave, ...]
    bytes: int
    judge: ModelPaid | None
    not_rehearsed: tuple[str, ...]


@dataclass
class _Overheard:
    """A transport that notes what would leave."""

    inner: LocalTransport
    rows: list[WouldLeave]
    concurrent: bool = False

    @property
    def sites(self) -> tuple[str, ...]:
        return self.inner.sites

    def ask(self, site: str, task: bytes) -> Delivered:
        began = time.monotonic()
        found = self.inner.ask(site, task)
        parcel = unpack_reply(found.data)
        self.rows.append(
            WouldLeave(
                message=parcel.message.model_dump(mode="json"),
                arrays={name: list(array.shape) for name, array in parcel.arrays.items()},
                bytes=len(found.data),
                seconds=round(time.monotonic() - began, 3),
            )
        )
        return found


def _within(report: Report, name: str, step: int, steps: int, done: float, total: float) -> None:
    report(Progress("rehearse", name, step + min(1.0, done / max(total, 1e-9)), steps))


def _start(accepted: Accepted, home: Home) -> Tensors:
    return start_of(load(accepted.study.model, home.path), accepted.study)


def site_rehearse(
    home: Home,
    data: Path,
    *,
    columns: Columns = BY_NAME,
    site: str | None = None,
    study: str | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> Rehearsed:
    """Answer one task of every verb and return what would have left.

    Raises:
        FederationError: a verb would be refused; says why.
        StudyError, DataError, ModelError: says where and what to do.
    """
    chosen = enrolled(home, site)
    accepted = chosen.the_study(study)
    if is_chat(accepted.study.model) and chat_settings(accepted.study.model, read_machine(home.path)).remote:
        raise FederationError(
            f"a rehearsal runs the model, but '{accepted.study.model}' is on another machine, so cases would "
            "leave and calls would cost money; use 'fedprompt score --dry-run' for an estimate",
            code="may-not-be-sent",
        )
    if accepted.study.pretraining is not None:
        raise FederationError(
            f"'{accepted.study.study}' trains a model on text, which is not rehearsed; "
            f"'fedprompt pretrain --study FILE --data {chosen.name}={data}' trains here alone, and nothing is sent",
            code="not-rehearsed",
        )
    folder = Path(tempfile.mkdtemp(prefix="fedprompt-"))
    rows: list[WouldLeave] = []
    try:
        aside = SiteFolder(folder / "site")
        aside.prepare(chosen.folder.key)
        policy = chosen.folder.policy
        write_policy(aside.policy_file, Policy(models=policy.models, min_cases=policy.min_cases))
        for stored in (
            chosen.folder.assignment(accepted.study.study),
            *chosen.folder.path.glob(f"{ENTERED}*.json"),
        ):
            if stored.exists():
                shutil.copyfile(stored, aside.path / stored.name)
        report(Progress("prepare", f"loading {accepted.study.model}"))
        worker = open_worker(home, EnrolledSite(chosen.name, aside), accepted, data, columns, stop=stop)
        transport = _Overheard(LocalTransport({chosen.name: worker.handle}), rows)
        hub = Hub(transport, accepted.digest, held_to=accepted.study)
        asked = Rehearsal(
            hub,
            chosen.name,
            accepted.study,
            partial(_start, accepted, home),
            encoder=scorer_resources(home.path).encoder,
        )
        for done, verb in enumerate(VERBS):
            stop.check()
            worker.side.on_progress = partial(_within, report, verb.name, done, len(VERBS))
            worker.side.on_progress(0.0, 1.0)
            verb.rehearse(asked)
        judge = judge_paid(home.path, accepted.study, [worker.side.resources])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Rehearsed(
        site=chosen.name,
        study=accepted.study.study,
        digest=accepted.digest,
        sent=0,
        would_leave=tuple(rows),
        bytes=sum(row.bytes for row in rows),
        judge=judge,
        not_rehearsed=tuple(told for verb in VERBS if (told := verb.left_out(accepted.study)) is not None),
    )

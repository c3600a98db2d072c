"""The hub's side of a conversation: asks, checks replies, counts bytes. It sees what left the gates, no more."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fedprompt.errors import EgressRefused, FederationError, ReplyUntrue, SiteRefused
from fedprompt.federation.ledgers import Ledgers
from fedprompt.federation.transports.transport import Delivered, Transport
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.study.schema import Study
from fedprompt.study.versions import OWN
from fedprompt.verbs.describe import DescribeReply, DescribeTask, ask_describe
from fedprompt.verbs.forms import Arrays, Parcel, Reply, Task
from fedprompt.verbs.refusals import REFUSALS, Refusal
from fedprompt.verbs.registry import verb_named
from fedprompt.verbs.verb import Terms
from fedprompt.verbs.wire import pack_task, unpack_reply

__all__ = ["Hub"]


class Hub:
    """Asks sites through a transport. ``sent`` and ``received`` count the bytes of tasks and replies by site.

    ``counted`` also hears of each task and its reply: the site, the bytes of the task and those of the reply. Hubs for
    some of the sites tell the same one, so that it hears of everything that travels in a run.

    Several threads may ask at a time where the transport is ``concurrent``.

    Args:
        transport: to the sites.
        study: its digest.
        version: the hub's fedprompt.
        ledgers: what each site's ledger must go on from; those of this run alone if None.
        held_to: the study that replies are held against, with what each site described; a site that has not is asked
            for that first. Without it only the form of replies is checked, and whether they are about what was asked.
    """

    def __init__(
        self,
        transport: Transport,
        study: str,
        version: str = OWN,
        *,
        ledgers: Ledgers | None = None,
        held_to: Study | None = None,
    ) -> None:
        self._transport, self._study, self._version, self.held_to = transport, study, version, held_to
        self.sent: Counter[str] = Counter()
        self.counted: Callable[[str, int, int], None] | None = None
        self.received: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._ledgers = ledgers or Ledgers()
        self.described: dict[str, DescribeReply] = {}

    @property
    def heads(self) -> dict[str, str]:
        """Site -> the last head of its ledger that was seen in this run."""
        return self._ledgers.heads

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites, in the order in which the hub sums."""
        return self._transport.sites

    @property
    def concurrent(self) -> bool:
        """Whether sites may be asked side by side."""
        return self._transport.concurrent

    def among(self, sites: Sequence[str]) -> "Hub":
        """Return a hub for some of the sites, which goes on from the same ledgers and counts bytes for itself.

        Raises:
            FederationError: one of them is not among this hub's.
        """
        if unknown := sorted(set(sites) - set(self.sites)):
            raise FederationError(
                f"there is no site '{unknown[0]}'; known sites: {', '.join(self.sites)}", code="unknown-site"
            )
        some = _Some(self._transport, sites)
        found = Hub(some, self._study, self._version, ledgers=self._ledgers, held_to=self.held_to)
        found.described, found.counted = self.described, self.counted
        return found

    @property
    def digest(self) -> str:
        """The study's digest."""
        return self._study

    @property
    def version(self) -> str:
        """The hub's fedprompt."""
        return self._version

    def ask(
        self,
        site: str,
        form: type[Task],
        fields: Mapping[str, Any],
        arrays: Arrays | None = None,
        *,
        named: Sequence[Any] | None = None,
    ) -> Parcel[Reply]:
        """Ask a site one thing and return the reply, which the verb has checked.

        Args:
            site: whom.
            form: the verb's task.
            fields: of the task, without ``task``, ``study`` and ``known``.
            arrays: what travels with it.
            named: what the task's id is made of, beside the study, the site and the verb; the fields and the arrays if
                left out. A site answers a task of the same id and content once.

        Raises:
            SiteRefused: the site refused; says why.
            ReplyUntrue: its answer is none, or contradicts itself, the study or what the site described.
            FederationError: it could not be asked.
        """
        name = form.model_fields["verb"].default
        if named is None:
            sums = {at: content_id("v1", np.ascontiguousarray(a).tobytes()) for at, a in sorted((arrays or {}).items())}
            named = [dict(fields), sums]
        if self.held_to is not None and form is not DescribeTask and site not in self.described:
            ask_describe(self, site)
        identity = content_id("t1", canonical_json([self._study, site, name, *named]))
        task = form(task=identity, study=self._study, **fields)
        data = self._delivered(site, task, arrays, self._ledgers.known(site))
        try:
            parcel = unpack_reply(data)
        except EgressRefused as error:
            raise ReplyUntrue(f"site '{site}' sent an invalid reply: {error}", code=error.code) from error
        reply = parcel.message
        if reply.task != task.task:
            raise ReplyUntrue(f"site '{site}' answered a different task", code="not-what-was-asked")
        if isinstance(reply, Refusal):
            raise SiteRefused(f"site '{site}' refused to {task.verb}: {REFUSALS[reply.code].hub}", code=reply.code)
        if reply.verb != task.verb:
            raise ReplyUntrue(f"site '{site}' answered '{reply.verb}' to '{task.verb}'", code="not-what-was-asked")
        if (verb := verb_named(name)) is not None:
            terms = Terms(site, self.held_to, self.described.get(site))
            verb.check(terms, Parcel(task, arrays or {}), parcel)
        if isinstance(reply, DescribeReply):
            if (earlier := self._ledgers.met(site, reply.identity)) is not None:
                self._delivered(site, task, arrays, earlier)  # its key had another name: its ledger goes on from there
            self.described[site] = reply
        return parcel

    def _delivered(self, site: str, task: Task, arrays: Arrays | None, known: str | None) -> bytes:
        """Carry a task and return its reply's bytes, once the site's ledger was found to go on from ``known``."""
        data = pack_task(task.model_copy(update={"known": known}), arrays or {})
        delivered = self._transport.ask(site, data)
        with self._counting:
            self.sent[site] += len(data)
            self.received[site] += len(delivered.data)
            if self.counted is not None:
                self.counted(site, len(data), len(delivered.data))
        self._ledgers.check(site, known, delivered)
        return delivered.data


class _Some:
    """Some of a transport's sites, in its order."""

    def __init__(self, transport: Transport, sites: Sequence[str]) -> None:
        self._transport, self.concurrent = transport, transport.concurrent
        self.sites = tuple(site for site in transport.sites if site in set(sites))

    def ask(self, site: str, task: bytes) -> Delivered:
        return self._transport.ask(site, task)

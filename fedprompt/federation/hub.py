"""The hub's side of a conversation: asks, checks replies, counts bytes. It sees what left the gates, no more."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fedprompt.errors import EgressRefused, FederationError, SiteRefused
from fedprompt.federation.ledgers import Ledgers
from fedprompt.federation.transports.transport import Delivered, Transport
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.study.versions import OWN
from fedprompt.verbs.describe import DescribeReply
from fedprompt.verbs.forms import Arrays, Parcel, Reply, Task
from fedprompt.verbs.refusals import REFUSALS, Refusal
from fedprompt.verbs.registry import verb_named
from fedprompt.verbs.verb import Terms
from fedprompt.verbs.wire import pack_task, unpack_reply

__all__ = ["Hub"]


class Hub:
    """Asks sites through a transport. ``sent`` and ``received`` count the bytes of tasks and replies by site.

    Several threads may ask at a time where the transport is ``concurrent``. ``ledgers`` says what each site's ledger
    must go on from; those of this run alone if None.
    """

    def __init__(self, transport: Transport, study: str, version: str = OWN, *, ledgers: Ledgers | None = None) -> None:
        self._transport, self._study, self._version = transport, study, version
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._ledgers = ledgers or Ledgers()

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
                f"there is no site '{unknown[0]}'; there are {', '.join(self.sites)}", code="unknown-site"
            )
        return Hub(_Some(self._transport, sites), self._study, self._version, ledgers=self._ledgers)

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
            FederationError: it could not be asked, its answer is none, or the verb's check found it at fault.
        """
        name = form.model_fields["verb"].default
        if named is None:
            sums = {at: content_id("v1", np.ascontiguousarray(a).tobytes()) for at, a in sorted((arrays or {}).items())}
            named = [dict(fields), sums]
        identity = content_id("t1", canonical_json([self._study, site, name, *named]))
        task = form(task=identity, study=self._study, **fields)
        data = self._delivered(site, task, arrays, self._ledgers.known(site))
        try:
            parcel = unpack_reply(data)
        except EgressRefused as error:
            raise FederationError(f"site '{site}' sent what is no reply: {error}", code=error.code) from error
        reply = parcel.message
        if reply.task != task.task:
            raise FederationError(f"site '{site}' answered another task than it was asked", code="not-what-was-asked")
        if isinstance(reply, Refusal):
            raise SiteRefused(f"site '{site}' refused to {task.verb}: {REFUSALS[reply.code].hub}", code=reply.code)
        if reply.verb != task.verb:
            raise FederationError(f"site '{site}' answered '{reply.verb}' to '{task.verb}'", code="not-what-was-asked")
        if (verb := verb_named(name)) is not None:
            verb.check(Terms(site), Parcel(task, arrays or {}), parcel)
        if isinstance(reply, DescribeReply) and (earlier := self._ledgers.met(site, reply.identity)) is not None:
            self._delivered(site, task, arrays, earlier)  # its key had another name: its ledger goes on from there
        return parcel

    def _delivered(self, site: str, task: Task, arrays: Arrays | None, known: str | None) -> bytes:
        """Carry a task and return its reply's bytes, once the site's ledger was found to go on from ``known``."""
        data = pack_task(task.model_copy(update={"known": known}), arrays or {})
        delivered = self._transport.ask(site, data)
        with self._counting:
            self.sent[site] += len(data)
            self.received[site] += len(delivered.data)
        self._ledgers.check(site, known, delivered)
        return delivered.data


class _Some:
    """Some of a transport's sites, in its order."""

    def __init__(self, transport: Transport, sites: Sequence[str]) -> None:
        self._transport, self.concurrent = transport, transport.concurrent
        self.sites = tuple(site for site in transport.sites if site in set(sites))

    def ask(self, site: str, task: bytes) -> Delivered:
        return self._transport.ask(site, task)

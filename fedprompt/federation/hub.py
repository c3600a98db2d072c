"""The hub's side of a conversation: asks, checks replies, counts bytes. It sees what left the gates, no more."""

import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fedprompt.errors import EgressRefused, FederationError, SiteRefused
from fedprompt.federation.transports.transport import Delivered, Transport
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.study.versions import OWN
from fedprompt.trust.chain import follow
from fedprompt.verbs.forms import Arrays, Parcel, Reply, Task
from fedprompt.verbs.refusals import REFUSALS, Refusal
from fedprompt.verbs.registry import verb_named
from fedprompt.verbs.verb import Terms
from fedprompt.verbs.wire import pack_task, unpack_reply

__all__ = ["Hub"]

HEAD = re.compile(r"[0-9a-f]{64}")


class Hub:
    """Asks sites through a transport. ``sent`` and ``received`` count the bytes of tasks and replies by site.

    Several threads may ask at a time where the transport is ``concurrent``.
    """

    def __init__(self, transport: Transport, study: str, version: str = OWN) -> None:
        self._transport, self._study, self._version = transport, study, version
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.heads: dict[str, str] = {}

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
            raise FederationError(f"there is no site '{unknown[0]}'; there are {', '.join(self.sites)}")
        found = Hub(_Some(self._transport, sites), self._study, self._version)
        found.heads = self.heads
        return found

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
        known = self.heads.get(site)
        identity = content_id("t1", canonical_json([self._study, site, name, *named]))
        task = form(task=identity, study=self._study, known=known, **fields)
        data = pack_task(task, arrays or {})
        delivered = self._transport.ask(site, data)
        with self._counting:
            self.sent[site] += len(data)
            self.received[site] += len(delivered.data)
        if not HEAD.fullmatch(delivered.head):
            raise FederationError(f"site '{site}' sent no head of a ledger with its reply, so the reply was dropped")
        if known is not None and follow(known, delivered.trail) != delivered.head:
            raise FederationError(
                f"site '{site}' showed a ledger that does not continue the one it showed before, so entries were "
                "removed or rewritten there; ask its operator for 'fedprompt site ledger --verify'"
            )
        self.heads[site] = delivered.head
        try:
            parcel = unpack_reply(delivered.data)
        except EgressRefused as error:
            raise FederationError(f"site '{site}' sent what is no reply: {error}") from error
        reply = parcel.message
        if reply.task != task.task:
            raise FederationError(f"site '{site}' answered another task than it was asked")
        if isinstance(reply, Refusal):
            raise SiteRefused(f"site '{site}' refused to {task.verb}: {REFUSALS[reply.code].hub}")
        if reply.verb != task.verb:
            raise FederationError(f"site '{site}' answered '{reply.verb}' to '{task.verb}'")
        if (verb := verb_named(name)) is not None:
            verb.check(Terms(site), Parcel(task, arrays or {}), parcel)
        return parcel


class _Some:
    """Some of a transport's sites, in its order."""

    def __init__(self, transport: Transport, sites: Sequence[str]) -> None:
        self._transport, self.concurrent = transport, transport.concurrent
        self.sites = tuple(site for site in transport.sites if site in set(sites))

    def ask(self, site: str, task: bytes) -> Delivered:
        return self._transport.ask(site, task)

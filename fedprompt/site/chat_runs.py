"""A site's prompts and cases on a chat model: one method a run, each call that leaves in the ledger before it is sent.

What the model answered is kept in the site's folder. Whatever is known is not sent, not written into the ledger and not
paid for again. Invariant: no case goes to another machine without an entry on disk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.chat_runner import ChatRun, conversations, run_chat
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.models.chat.choice import Probe, find_method
from fedprompt.models.chat.cost import Hear, tallied
from fedprompt.models.chat.protocol import ChatReply
from fedprompt.models.chat.replies import KeptChat
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.calls import record_calls
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer
from fedprompt.study.score import Method

__all__ = ["ChatAtSite", "ChatRuns"]


@dataclass(frozen=True, eq=False)
class ChatRuns:
    """``runs``: one a prompt; ``replies``: all that came, those that cost nothing marked ``kept``."""

    runs: tuple[ChatRun, ...]
    replies: tuple[ChatReply, ...]


class ChatAtSite:
    """A chat model asked about one site's cases.

    Args:
        model: who answers.
        folder: the site's, with its ledger and what was answered before.
        answer: the study's.
        tune: the site's tune split, for demonstrations.
        anew: ask again what is known.
        hear: told the model's name and what each call took, as it ends.
    """

    def __init__(
        self,
        model: LangChainChat,
        folder: SiteFolder,
        answer: Answer,
        tune: Sequence[Case],
        *,
        anew: bool = False,
        hear: Hear | None = None,
    ) -> None:
        self._live, self._folder, self._answer, self._tune, self._hear = model, folder, answer, tune, hear
        self._kept = self._asking(anew=anew)
        self._probes: dict[tuple[tuple[str, ...], ...], Probe] = {}

    @property
    def model(self) -> LangChainChat:
        """Who answers."""
        return self._live

    def method(self, prompts: Sequence[Prompt], cases: Sequence[Case]) -> Probe | None:
        """Return how a choice is answered, None for free text.

        The server is asked, unless all that these prompts need is known from a run that asked it.

        Raises:
            ModelError: the server cannot be asked, or cannot do what the machine's owner fixed.
        """
        if self._answer.type != "choice":
            return None
        words = tuple(self._words(prompt) for prompt in prompts)
        wanted = self._live.settings.method
        if words not in self._probes:
            probe = find_method(self._kept, words, wanted)
            if probe.reply is not None and probe.reply.kept and not all(self._known(prompts, cases, probe.method)):
                # It is to be asked again, and may answer otherwise than it did.
                probe = find_method(self._asking(anew=True), words, wanted)
            self._probes[words] = probe
        return self._probes[words]

    def run(
        self,
        study: str,
        prompts: Sequence[Prompt],
        cases: Sequence[Case],
        method: Method | None,
        progress: Callable[[int, int], None] | None = None,
        resources: Resources | None = None,
        stop: StopToken = NEVER,
    ) -> ChatRuns:
        """Run prompts on cases.

        Args:
            study: the study's digest, for the ledger.
            method: as :meth:`method` says.
            resources: the encoder and the judge that scorers of free text may need.
            stop: looked at whenever an answer has come.

        Raises:
            ModelError: the model cannot be asked at all.
            LedgerError: the ledger cannot be written, so nothing was sent.
            DataError, StudyError: as :func:`~fedprompt.evaluation.runs.chat_runner.run_chat`.
        """
        if self._live.info.remote:
            self._record(study, prompts, cases, method)
        runs, replies = run_chat(
            self._kept, prompts, cases, self._answer, self._tune, method, progress, resources, stop=stop
        )
        return ChatRuns(runs, replies)

    def _asking(self, *, anew: bool) -> KeptChat:
        return KeptChat(self._live, self._folder.chat_replies, self._live.settings.url(), anew=anew, paid=self._paid)

    def _paid(self, reply: ChatReply) -> None:
        if self._hear is not None:
            self._hear(self._live.info.name, tallied([reply], self._live.settings.price))

    def _record(self, study: str, prompts: Sequence[Prompt], cases: Sequence[Case], method: Method | None) -> None:
        sent = conversations(prompts, cases, self._answer, self._tune, method)
        known = self._known(prompts, cases, method)
        places = [place for place, there in enumerate(known) if not there]
        if places:
            record_calls(
                self._folder.ledger,
                study=study,
                host=self._live.info.host,
                cases=len({place // len(prompts) for place in places}),
                conversations=(sent[place][0] for place in places),
            )

    def _known(self, prompts: Sequence[Prompt], cases: Sequence[Case], method: Method | None) -> list[bool]:
        sent = conversations(prompts, cases, self._answer, self._tune, method)
        return self._kept.known([one for one, _ in sent], [how for _, how in sent])

    def _words(self, prompt: Prompt) -> tuple[str, ...]:
        return tuple((prompt.template.words or {})[label] for label in self._answer.labels)

"""The command ``fedprompt``: gathers the commands, and turns errors into one sentence and an exit code.

Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C or SIGTERM. With ``--json`` the error is
one JSON object on stdout, ``{"code", "error"}``, unless the command has printed its own; the sentence is on stderr too.
"""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

import fedprompt
from fedprompt.cli import (
    adapt,
    assets,
    bank,
    compare,
    data,
    demo,
    distil,
    doctor,
    exchange,
    federate,
    harden,
    hub,
    pretrain,
    privacy,
    serve,
    site,
    stages,
    study,
    ui,
    work,
)
from fedprompt.cli.showing import complain, emit
from fedprompt.cli.stopping import interruptible
from fedprompt.cli.streams import flushed, open_streams
from fedprompt.models.threads import spin_briefly
from fedprompt.workspace.failure import Failure, Traces, failure_of, sentence_of

__all__ = ["app", "main", "run"]

STOPPED, WRONG_USE = 130, 2
INTERRUPTED = Failure("stopped; run the same command again to resume", code="stopped")
log = logging.getLogger(__name__)

app = typer.Typer(
    name="fedprompt",
    help="Find the best prompts together, without showing anyone your labelled cases.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(assets.app, name="assets")
app.add_typer(study.app, name="study")
app.add_typer(data.app, name="data")
app.add_typer(bank.app, name="bank")
app.add_typer(site.app, name="site")
app.add_typer(hub.app, name="hub")
app.add_typer(privacy.app, name="privacy")
for command, name in (
    (demo.demo, "demo"),
    (ui.ui, "ui"),
    (work.score, "score"),
    (work.tune, "tune"),
    (adapt.adapt, "adapt"),
    (distil.distil, "distil"),
    (harden.harden, "harden"),
    (federate.federate, "federate"),
    (stages.stages, "stages"),
    (pretrain.pretrain, "pretrain"),
    (compare.compare, "compare"),
    (exchange.export, "export"),
    (exchange.import_, "import"),
    (serve.serve, "serve"),
    (doctor.doctor, "doctor"),
):
    app.command(name)(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fedprompt {fedprompt.__version__}")
        raise typer.Exit


@app.callback()
def _start(
    verbose: Annotated[bool, typer.Option("--verbose", help="Log details and the source of errors to stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Traces("%(name)s %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, handlers=[handler], force=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    spin_briefly(os.environ)  # before torch is imported by whatever the command does
    open_streams()
    given = sys.argv[1:] if arguments is None else list(arguments)
    json = "--json" in given
    try:
        with interruptible():
            app(args=given, prog_name="fedprompt")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if code == STOPPED:
            _tell(INTERRUPTED, json)
        elif code == WRONG_USE and json:
            _emit(Failure(_wrong_use(end), code="wrong-use"))  # typer has said it on stderr
        return code
    except KeyboardInterrupt:
        _tell(INTERRUPTED, json)
        return STOPPED
    except Exception as error:
        log.debug("the command failed", exc_info=error)
        _tell(failure_of(error, "'fedprompt --verbose COMMAND' shows the details"), json)
        return 1
    return 0


def run() -> None:
    """Run the command line and exit with its exit code."""
    code = main()
    if (error := flushed()) is not None:
        if not isinstance(error, BrokenPipeError):  # whoever read along has enough
            complain(f"stdout: {sentence_of(error)}")
        code = code or 1
    sys.exit(code)


def _tell(failure: Failure, json: bool) -> None:
    complain(failure.sentence)
    if json:
        _emit(failure)


def _emit(failure: Failure) -> None:
    with suppress(OSError):  # stdout may be what failed; stderr has the sentence
        emit({"code": failure.code, "error": failure.sentence})


def _wrong_use(end: SystemExit) -> str:
    """Return what typer said before it ended the command."""
    said = getattr(end.__context__, "format_message", None)
    return str(said()) if callable(said) else "the command is not valid; see --help"

"""``fedprompt doctor``: what this machine has and what it lacks."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table

if TYPE_CHECKING:
    from fedprompt.workspace.machine.doctor import ReachedProduct

__all__ = ["doctor"]


def doctor(
    hub: Annotated[
        str | None, typer.Option("--hub", metavar="HOST[:PORT]", help="Only check whether this hub can be reached.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Report installed packages, cores, threads and number formats, and missing parts."""
    if hub is not None:
        _hub(hub, home, json)
        return
    from fedprompt.workspace.machine.doctor import doctor as look

    found = look(home)
    if json:
        emit(found)
    else:
        processor, settings, place = found.processor, found.settings, found.home
        device = "-" if settings is None else settings.device
        run_in = "-, - threads" if settings is None else f"{settings.dtype}, {settings.threads} threads"
        versions = ", ".join(f"{name} {version}" for name, version in found.packages.items() if version)
        memory = found.memory_bytes
        rows = [
            ("fedprompt", f"{found.fedprompt} on Python {found.python} ({found.executable})"),
            ("system", found.system),
            ("cores", f"{processor.physical} physical of {processor.cores}, {processor.allowed} allowed"),
            ("models run in", f"{run_in}, on {device}"),
            ("bfloat16 in hardware", "yes" if processor.bfloat16 else "no"),
            (f"matrix product on {device}", _rates(found.product)),
            ("share of it reached", _reached(None if found.bank is None else found.bank.reached)),
            ("GPU", found.gpu or "none"),
            ("memory", "unknown" if memory is None else f"{memory / 1024**3:.1f} GiB"),
            ("home", "-" if place is None else f"{place.path} ({place.free_bytes / 1024**3:.1f} GiB free)"),
            ("assets", ", ".join(f"{a.name} {'ready' if a.ready else 'absent'}" for a in found.assets or ())),
            (
                "chat models",
                ", ".join(f"{c.name} at {c.host}{'' if c.allowed else ' (not allowed)'}" for c in found.chat or ())
                or "none",
            ),
            ("bank", "-" if found.bank is None else f"{found.bank.prompts} prompts"),
            ("packages", versions),
        ]
        table(("what", "found"), rows)
        for sentence in found.missing:
            line(f"missing: {sentence}")
        if found.ok:
            line("nothing is missing")
    if not found.ok:
        raise typer.Exit(1)


def _hub(address: str, home: Path | None, json: bool) -> None:
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.machine.hub_check import check_hub

    found = check_hub(find_home(home), address)
    if json:
        emit(found)
    else:
        table(("what", "", "found"), [(c.check, "ok" if c.ok else "FAILED", c.told) for c in found.checks])
        where = f"{found.host}:{found.port}"
        line(f"{where} can be reached" if found.ok else f"{where} cannot be reached: {found.failed}")
    if not found.ok:
        raise typer.Exit(1)


def _reached(run: "ReachedProduct | None") -> str:
    if run is None:
        return "no run has measured it yet"
    rate = f"{run.tokens_per_second:,.0f} tokens a second"
    return f"{100 * run.part_of_product:.0f} % in the latest {run.kind}, at {rate}"


def _rates(product: Mapping[str, float] | None) -> str:
    if product is None:
        return "not measured"
    return ", ".join(f"{rate:,.0f} GFLOP/s in {dtype}" for dtype, rate in product.items())

"""A template that a site published, as the file that its operator hands to the hub's."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fedprompt.study.schema import Closed

__all__ = ["SIGNED", "Publication"]

SIGNED = b"fedprompt published template 1\n"  # what a signature is over, before the reply's bytes

Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$", max_length=2_000_000)]


class Publication(Closed):
    """``reply``: the bytes that left; ``signature``: over ``SIGNED`` and these, by that certificate's key."""

    fedprompt: Literal["published 1"] = "published 1"
    federation: Annotated[str, StringConstraints(max_length=60)]
    site: Annotated[str, StringConstraints(max_length=60)]
    reply: Hex
    certificate: Annotated[str, StringConstraints(max_length=64 * 1024)]
    signature: Hex

"""A visitor without a browser: a Streamlit session over its websocket, in Streamlit's own messages.

It opens pages and changes widgets as a browser does, reads everything that the page sends, and counts what a person
would see as an error. It draws nothing, so the time it takes is the server's and the wire's.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

__all__ = ["Visitor", "connected"]

PATIENCE_SECONDS = 60.0
WIDGETS = ("selectbox", "button_group", "number_input", "text_input", "multiselect", "checkbox")
FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


@dataclass
class Visitor:
    """One session. ``took``: seconds of each redraw; ``errors``: what went wrong, in words."""

    socket: Any
    took: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)
    _values: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _page: str = ""
    _query: str = ""

    async def open(self, page: str, query: str = "") -> None:
        """Go to a page, which forgets the widgets of the one before."""
        self._page, self._query = page, query
        self._ids.clear()
        self._values.clear()
        await self._run()

    async def change(self, key: str, value: Mapping[str, Any]) -> bool:
        """Set a widget by the key that the page gave it, as ``{"string_value": "..."}``; False where it has none."""
        id = self._ids.get(key)
        if id is None:
            return False
        self._values[id] = value
        await self._run()
        return True

    async def _run(self) -> None:
        asked = BackMsg()
        state = asked.rerun_script
        state.page_name, state.query_string = self._page, self._query
        for id, value in self._values.items():
            widget = state.widget_states.widgets.add(id=id)
            for name, content in value.items():
                if name == "string_array_value":
                    widget.string_array_value.data.extend(content)
                else:
                    setattr(widget, name, content)
        began = time.perf_counter()
        await self.socket.send(asked.SerializeToString())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not self._heard(ForwardMsg.FromString(await self.socket.recv())):
                    pass
        except TimeoutError:
            self.errors.append(f"{self._page}: no answer within {PATIENCE_SECONDS:.0f} s")
        self.took.append(time.perf_counter() - began)

    def _heard(self, message: ForwardMsg) -> bool:
        """Take a message in; return whether the page is drawn."""
        kind = message.WhichOneof("type")
        if kind == "page_not_found":
            self.errors.append(f"{self._page}: no such page")
        if kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.errors.append(f"{self._page}: it does not compile")
                return True
            return message.script_finished in FINISHED
        if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            what = element.WhichOneof("type")
            if what == "exception":
                self.errors.append(f"{self._page}: {element.exception.message}")
            if what == "alert" and element.alert.format == Alert.ERROR:
                self.errors.append(f"{self._page}: {element.alert.body}")
            if what in WIDGETS:
                id = str(getattr(element, what).id)
                self._ids[id.rsplit("-", 1)[-1]] = id  # an id ends with the key that the page gave
        return False


async def connected(address: str, cookie: str) -> Visitor:
    """Return a visitor of the app at ``http://...``, with the cookie of a browser that was let in."""
    from websockets.asyncio.client import connect

    where = address.replace("http://", "ws://") + "/_stcore/stream"
    socket = await connect(
        where,
        subprotocols=["streamlit"],  # type: ignore[list-item]
        origin=address,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookie},
        max_size=None,
        compression=None,
    )
    return Visitor(socket)

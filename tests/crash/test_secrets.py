"""What is secret never stands in the file: keys, headers, the hidden configuration of tools, errors that quote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from phalanx import Agent, AgentTeam, tool
from phalanx.agents.tools.box import ToolSet
from phalanx.errors import PhalanxError
from phalanx.runtime.export import export_run
from phalanx.runtime.sqlite import SqliteLog
from tests.wire.servers import Received, Reply, Use, serve

pytestmark = [pytest.mark.wire]

KEY = "sk-key-never-written-1"
HEADER = "header-never-written-2"
TOKEN = "token-never-written-3"
OPTION = "option-never-written-4"
SAID = "this-is-said-and-written-5"


@tool
def send(to: str, token: str) -> str:
    """Send a message."""
    if to == "fail":
        raise RuntimeError(f"the mail server does not take {token}")
    return f"sent to {to}"


def reply(request: Received) -> Reply:
    messages = request.body["messages"]
    assert isinstance(messages, list)
    if "refuse" in str(messages):
        return Reply(status=401, error=f"Incorrect API key provided: {KEY}")
    if messages[-1]["role"] == "user":
        return Reply(uses=(Use("send", {"to": "ada"}, id="c1"), Use("send", {"to": "fail"}, id="c2")))
    return Reply(text=SAID)


async def test_no_secret_is_ever_in_the_file_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with serve("openai", reply) as server:
        mail = ToolSet(name="mail", description="Messages.", tools=[send], config={"token": TOKEN})
        member = Agent(
            "worker", name="bob", model=server.model, api_base=server.url, api_key=KEY, tools=[mail],
            extra_headers={"x-token": HEADER}, provider_options={"user": OPTION},
        )  # fmt: skip
        async with AgentTeam.pipeline([member], name="team") as team, SqliteLog(path) as log:
            assert await team.run("Send it.", run_id="r", log=log) == SAID
            assert all(request.headers["x-token"] == HEADER for request in server.requests)
            with pytest.raises(PhalanxError):
                await team.run("Please refuse.", run_id="bad", log=log)
            lines = "\n".join(await export_run(log, "r") + await export_run(log, "bad"))
            # The write-ahead log too, while it is there.
            written = b"".join(each.read_bytes() for each in tmp_path.iterdir())  # noqa: ASYNC240
    assert SAID.encode() in written
    assert SAID in lines
    for secret in (KEY, HEADER, TOKEN, OPTION):
        assert secret.encode() not in written
        assert secret not in lines

"""A model for suites in several processes: it adds, and writes down in a file each call that begins and ends."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import anyio

from phalanx import Agent, AgentTeam
from phalanx.agents.task import Task
from phalanx.messages import Completion, Price, Request, Usage


@dataclass(frozen=True)
class DeskModel:
    """Travels as it is; `book` is the file, `seconds` what a call takes."""

    book: str
    seconds: float = 0.1
    name: str = "offline/desk"
    free = True
    native_tools = True

    async def complete(self, request: Request) -> Completion:
        about = request.about
        call = f"{about.path[0]} {about.member} {about.question} {about.round} {about.attempt}"
        self._write(f"begin {os.getpid()} {call}")
        await anyio.sleep(self.seconds)
        self._write(f"end {os.getpid()} {call}")
        answer = int(about.question.removeprefix("s")) + (about.member != "bob")
        return Completion(text=f"Answer: {answer}", usage=Usage(1, input_tokens=20, output_tokens=5))

    async def price(self) -> Price:
        return Price(0.0, 0.0)

    def _write(self, line: str) -> None:
        with open(self.book, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def debate(book: Path, seconds: float = 0.1) -> AgentTeam:
    """Three who never agree, in a draft and a revision: six calls an item."""
    model = DeskModel(str(book), seconds)
    agents = [Agent("debater", name=name, model=model) for name in ("ada", "bob", "cy")]
    return AgentTeam.debate(agents, 1, trigger="always", name="debate")


async def one_more(task: Task) -> str:
    """A system that is a function."""
    return str(int(task.description.split()[0]) + 1)


def lines(book: Path) -> list[list[str]]:
    """What stands in the file: what happened, in which process, and the call's name."""
    return [line.split(" ", 2) for line in book.read_text(encoding="utf-8").splitlines()] if book.exists() else []


def begun(book: Path) -> Counter[str]:
    """How often each call was begun."""
    return Counter(call for what, _, call in lines(book) if what == "begin")

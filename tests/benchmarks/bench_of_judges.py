"""A judge for suites in several processes: it compares, and writes down in a file each verdict it is asked for."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass

import anyio

from phalanx.messages import Completion, Price, Request, Usage


@dataclass(frozen=True)
class JudgingModel:
    """Travels as it is; `book` is the file."""

    book: str
    name: str = "offline/judge"
    free = True
    native_tools = True

    async def complete(self, request: Request) -> Completion:
        about = request.about
        self._write(f"{os.getpid()} {about.path[0]} {about.question} {about.member} {about.attempt}")
        await anyio.sleep(0.02)
        said = re.findall(r'from="Answer \d">\n(?:Answer: )?(\d+)\n', request.messages[-1].content)
        verdict = {"reason": "compared", "verdict": "same" if said[0] == said[1] else "different"}
        return Completion(text=json.dumps(verdict), usage=Usage(1, input_tokens=50, output_tokens=5))

    async def price(self) -> Price:
        return Price(0.0, 0.0)

    def _write(self, line: str) -> None:
        with open(self.book, "a", encoding="utf-8") as file:
            file.write(line + "\n")

"""How the tests of offline models ask: the requests that formations make, without the formations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import anyio

from phalanx.agents.prompts import Prompts, fenced, fenced_all, label
from phalanx.messages import About, Completion, Message, OutputSpec, Request
from phalanx.testing import SimulatedModel

PROMPTS = Prompts()
CONTRACT = PROMPTS("answer_line")
T = TypeVar("T")


def request(
    prompt: str,
    *,
    question: str = "",
    member: str = "ada",
    stage: str = "draft",
    round: int = 0,
    attempt: int = 0,
    run_seed: int = 0,
    schema: dict[str, object] | None = None,
    max_tokens: int | None = None,
    before: Sequence[Message] = (),
) -> Request:
    """One request as a formation makes it."""
    about = About(
        path=("team", stage, member), member=member, stage=stage, round=round, attempt=attempt,
        question=question, seed=run_seed,
    )  # fmt: skip
    output = None if schema is None else OutputSpec(name="shape", schema=schema)
    messages = (Message(role="system", content=f"You are {member}."), *before, Message(role="user", content=prompt))
    return Request(messages=messages, output=output, max_tokens=max_tokens, about=about)


def draft(question: str, member: str = "ada", *, attempt: int = 0, run_seed: int = 0) -> Request:
    """A request for a first answer."""
    prompt = PROMPTS("draft", task=question) + CONTRACT
    return request(prompt, question=question, member=member, attempt=attempt, run_seed=run_seed)


def revision(question: str, own: str, peers: Sequence[str], *, member: str = "ada", round: int = 1) -> Request:
    """A request for an answer in view of others'; `own` and `peers` are whole texts."""
    prompt = PROMPTS(
        "revise", task=question, own=fenced(own, "yourself"), stubbornness="Weigh them.", contract=CONTRACT,
        peers=fenced_all((label(at), text) for at, text in enumerate(peers)),
    )  # fmt: skip
    return request(prompt, question=question, member=member, stage="revise", round=round)


def judging(question: str, candidates: Sequence[tuple[str, str]], *, member: str = "judge", round: int = 0) -> Request:
    """A request for a verdict on (label, text) candidates."""
    labels: list[object] = [label for label, _ in candidates]
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": [*labels, "undecided"]}, "reason": {"type": "string"}},
        "required": ["verdict", "reason"],
    }
    prompt = PROMPTS("judge", task=question, candidates=fenced_all(candidates))
    return request(prompt, question=question, member=member, stage="judge", round=round, schema=schema)


def checking(question: str, text: str, *, member: str = "verifier", attempt: int = 0) -> Request:
    """A request to accept or reject an answer."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"accepted": {"type": "boolean"}, "objection": {"type": "string", "default": ""}},
        "required": ["accepted"],
    }
    prompt = PROMPTS("verify", task=question, answer=fenced(text, "ada"))
    return request(prompt, question=question, member=member, stage="verify", attempt=attempt, schema=schema)


async def replies(model: SimulatedModel, requests: Sequence[Request]) -> list[Completion]:
    """Each request's completion, one after the other."""
    return [await model.complete(each) for each in requests]


def texts(model: SimulatedModel, requests: Sequence[Request]) -> list[str]:
    """What a model says to each request, for tests that are no test of concurrency."""
    return [each.text for each in anyio.run(partial(replies, model, requests))]


def answer_of(text: str) -> str | None:
    """The answer that a text ends with; None when there is none."""
    found: list[str] = re.findall(r"^Answer: (.*)$", text, re.MULTILINE)
    return found[-1] if found else None


def answers(model: SimulatedModel, requests: Sequence[Request]) -> list[str | None]:
    """The answer a model ends each of its replies with."""
    return [answer_of(text) for text in texts(model, requests)]

"""People in a run: questions that are steps, answers that are journaled, pauses that outlive the process."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from phalanx.errors import ConfigurationError

from .events import Paused
from .run import Run

# How often a run looks idle before it is taken to be waiting for people only.
QUIET = 50


@dataclass(frozen=True, slots=True)
class Question:
    """Something a person is asked. `key` is its causal name, by which the answer is given; `member` is who asks.

    options: what may be answered; empty is anything.
    """

    key: str
    text: str
    options: tuple[str, ...] = ()
    member: str = ""


Human = Callable[[Question], Awaitable[str] | str]


class RunPaused(BaseException):
    """The run waits for people and for nothing else; it ends here and can be resumed with their answers.

    It passes through whatever handles errors, as a cancellation does: nothing has failed.
    """

    def __init__(self, questions: tuple[Question, ...]) -> None:
        super().__init__(f"waiting for {len(questions)} answer(s)")
        self.questions = questions


def pause(_question: Question) -> str:
    """Give this as `human=`: a question ends the run with status "paused", to be resumed with the answer."""
    raise AssertionError("the run itself pauses")


async def ask_human(
    run: Run,
    text: str,
    *,
    options: tuple[str, ...] = (),
    within: float | None = None,
    default: str | None = None,
    member: str = "",
) -> str:
    """Ask a person, as a step of the run: the answer is journaled and never asked for twice.

    options: what may be answered. within: seconds after which `default` is the answer. default: the answer when
    nobody is there or nobody answers in time.

    Raises ConfigurationError when there is nobody to ask and no default, or an answer that is not among the options;
    TimeoutError when nobody answers in time and there is no default; TypeError when the question, an option or an
    answer is no text.
    """
    if not isinstance(text, str) or not all(isinstance(each, str) for each in options):
        raise TypeError(f"a question and its options are text, not {text!r} with options {options!r}")

    async def call(key: str) -> str:
        question = Question(key, text, options, member)
        execution = run.execution
        if key in execution.answers:
            return _checked(question, execution.answers[key])
        if execution.human is None:
            if default is None:
                raise ConfigurationError(f"nobody is there to answer {text!r}; give the run human=…, or a default")
            return default
        run.emit(Paused, key, text, options, member)
        # The process may end while people think: then the journal is what says that they are asked.
        await execution.flush()
        with run.deadline(within) as scope:
            answer = execution.human(question) if execution.human is not pause else await _pause(run, question)
            if inspect.isawaitable(answer):
                answer = await answer
            given = _checked(question, answer)
        if not scope.cancelled_caught:
            return given
        if default is None:
            raise TimeoutError(f"nobody answered {text!r} within {within:g} s")
        return default

    return await run.step("human", "human", text, call)


def _checked(question: Question, answer: object) -> str:
    if not isinstance(answer, str):
        raise TypeError(f"the answer to {question.text!r} must be text, not {type(answer).__name__}: {answer!r}")
    if question.options and answer not in question.options:
        raise ConfigurationError(
            f"{answer!r} is no answer to {question.text!r}; it must be one of {', '.join(question.options)}"
        )
    return answer


async def _pause(run: Run, question: Question) -> str:
    """Wait until everything else in the run is finished or waits for people too, then end it."""
    execution = run.execution
    execution.questions.append(question)
    quiet = 0
    while quiet < QUIET:
        await anyio.lowlevel.checkpoint()
        if execution.busy > 0:
            quiet = 0
            execution.idle = execution.idle or anyio.Event()
            await execution.idle.wait()
        else:
            quiet += 1
    raise RunPaused(tuple(execution.questions))

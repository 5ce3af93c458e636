"""Every error Phalanx raises, in one tree.

    PhalanxError                    also named AgentError and VictorError
    ├── ConfigurationError          no model, no key, a setting that cannot work      (also ValueError)
    ├── ValidationError             an argument, a task or a team file is wrong       (also ValueError)
    │   └── SpecError               a team file, with its line
    ├── AccessDenied                a role did what it has no right to do
    ├── ProviderError               a model could not be asked
    │   ├── LLMCallError            one call failed: .original_error, .retry_count
    │   │   ├── AuthenticationFailed    401, 403
    │   │   ├── ModelNotFound           404
    │   │   ├── InvalidRequest          400, 422
    │   │   │   ├── ContextTooLong
    │   │   │   └── ContentFiltered
    │   │   ├── RateLimited             429: .retry_after           (transient)
    │   │   ├── ProviderUnavailable     5xx, 529, no connection     (transient)
    │   │   ├── ProviderTimeout         no answer in time           (transient)
    │   │   └── StreamCut               the answer broke off        (transient)
    │   ├── CircuitOpen             the breaker refuses calls for a while
    │   └── NoModelAnswered         every model of a Fallback failed
    ├── ToolError
    │   ├── ToolNotFoundError
    │   ├── ToolExecutionError
    │   ├── ToolDenied
    │   └── InvalidToolSchemaError
    ├── MaxIterationsError          the tool loop did not end
    ├── ResponseParseError          an answer does not have the shape asked for
    ├── BoardError
    │   ├── BoardConflict           somebody else wrote first
    │   └── SealedError             a ballot was read or written at the wrong time
    ├── LogError                    the run's log cannot be read or written
    │   ├── LogConflict             the log is longer than expected
    │   ├── RunBusy                 somebody else works on the run: .run_id, .holder
    │   ├── UncertainStep           a step was started, its end is unknown
    │   └── ReplayDivergence        a replayed step asks for something else
    │       └── TeamDiffers         the team is not the one that began the run
    └── TeamError                   a team has no answer: .result
        ├── MemberFailed
        ├── QuorumMissed
        └── LimitExceeded           .what, .spent, .limit, .owner

Constructing an error does nothing else; each pickles with all its facts.
"""

from __future__ import annotations

from typing import Any


class PhalanxError(Exception):
    """The root: catch it to catch whatever Phalanx raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[PhalanxError], args: tuple[object, ...], facts: dict[str, object]) -> PhalanxError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(facts)
    return error


AgentError = PhalanxError
VictorError = PhalanxError


class ConfigurationError(PhalanxError, ValueError):
    """Something needed before any call is missing or cannot work: a model, a key, an option."""


class ValidationError(PhalanxError, ValueError):
    """An argument, a task or a file does not have the form it must have."""


class SpecError(ValidationError):
    """A team or task file is wrong; `file`, `line` and `where` (the path of the field) say in what place."""

    def __init__(self, problem: str, *, file: str | None = None, line: int | None = None, where: str = "") -> None:
        place = ":".join(str(part) for part in (file, line) if part is not None)
        super().__init__(": ".join(part for part in (place, where, problem) if part))
        self.problem, self.file, self.line, self.where = problem, file, line, where


class AccessDenied(PhalanxError):
    """A role did something it has no right to do; `role` and `right` name both."""

    def __init__(self, role: str, right: str, advice: str = "") -> None:
        super().__init__(f"role {role!r} may not {right}" + (f"; {advice}" if advice else ""))
        self.role, self.right = role, right


class ProviderError(PhalanxError):
    """A model could not be asked. `transient` says whether the same call may work later."""

    transient = False


class LLMCallError(ProviderError):
    """One model call failed.

    `original_error` is the provider library's exception, `retry_count` how many retries were made before giving up,
    `status_code` the HTTP status if there was one, `retry_after` the seconds the provider asked to wait, if it did.
    """

    def __init__(
        self,
        original_error: Exception | str,
        retry_count: int = 0,
        *,
        model: str | None = None,
        status_code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        status = f" (status {status_code})" if status_code else ""
        super().__init__(f"{model or 'the model'}{status}: {original_error}")
        self.original_error = original_error if isinstance(original_error, Exception) else RuntimeError(original_error)
        self.retry_count, self.model = retry_count, model
        self.status_code, self.retry_after = status_code, retry_after


class AuthenticationFailed(LLMCallError):
    """The provider refused the key (401, 403)."""


class ModelNotFound(LLMCallError):
    """The provider does not know the model (404)."""


class InvalidRequest(LLMCallError):
    """The provider will not take this request as it is (400, 422)."""


class ContextTooLong(InvalidRequest):
    """The messages are longer than the model's context window."""


class ContentFiltered(InvalidRequest):
    """The provider's content policy refused the request."""


class RateLimited(LLMCallError):
    """Too many requests (429); `retry_after` is what the provider asked for, in seconds."""

    transient = True


class ProviderUnavailable(LLMCallError):
    """The provider failed or cannot be reached (5xx, 529, connection refused)."""

    transient = True


class ProviderTimeout(LLMCallError):
    """The provider did not answer within the timeout."""

    transient = True


class StreamCut(LLMCallError):
    """A streamed answer broke off before its end."""

    transient = True


class CircuitOpen(ProviderError):
    """The breaker refuses calls to `model` for `seconds` more, after repeated failures."""

    transient = True

    def __init__(self, model: str, *, seconds: float, failures: int) -> None:
        super().__init__(f"{model} failed {failures} times in a row; not asked again for {seconds:.3g} s")
        self.model, self.seconds, self.failures = model, seconds, failures


class NoModelAnswered(ProviderError):
    """Each model of a Fallback failed; `failures` holds their errors in order."""

    def __init__(self, failures: list[ProviderError]) -> None:
        super().__init__("no model answered: " + "; ".join(str(failure) for failure in failures))
        self.failures = failures


class ToolError(PhalanxError):
    """Something about a tool."""


class ToolNotFoundError(ToolError):
    """There is no tool of this name."""

    def __init__(self, tool_name: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(f"no tool named {tool_name!r}" + (f"; there are: {', '.join(known)}" if known else ""))
        self.tool_name = tool_name


class ToolExecutionError(ToolError):
    """A tool failed; `original_error` is what it raised."""

    def __init__(self, tool_name: str, original_error: Exception) -> None:
        super().__init__(f"tool {tool_name!r} failed: {type(original_error).__name__}: {original_error}")
        self.tool_name, self.original_error = tool_name, original_error


class ToolDenied(ToolError):
    """A tool that needs approval was not approved."""

    def __init__(self, tool_name: str, reason: str) -> None:
        super().__init__(f"tool {tool_name!r} was denied: {reason}")
        self.tool_name, self.reason = tool_name, reason


class InvalidToolSchemaError(ToolError):
    """A tool's schema is not a JSON schema of an object, or does not fit its function."""

    def __init__(self, tool_name: str, reason: str) -> None:
        super().__init__(f"tool {tool_name!r} has an invalid schema: {reason}")
        self.tool_name, self.reason = tool_name, reason


class MaxIterationsError(PhalanxError):
    """An agent still called tools after `max_iterations` model calls; `usage` is what they cost."""

    def __init__(self, max_iterations: int, *, agent: str | None = None) -> None:
        super().__init__(
            f"{agent or 'the agent'} gave no final answer within {max_iterations} model calls; "
            "raise max_iterations=… or give it fewer tools"
        )
        self.max_iterations, self.agent = max_iterations, agent


class ResponseParseError(PhalanxError):
    """An answer does not have the shape asked for, even after one repair; `response_text` is the answer."""

    def __init__(self, response_text: str, original_error: Exception) -> None:
        shown = response_text if len(response_text) <= 200 else response_text[:200] + "…"
        super().__init__(f"the answer does not have the shape asked for ({original_error}); it was: {shown!r}")
        self.response_text, self.original_error = response_text, original_error


class BoardError(PhalanxError):
    """Something about the blackboard."""


class BoardConflict(BoardError):
    """A write expected another version; `current` is the entry that stands there."""

    def __init__(self, where: str, *, expected: int | None, current: object) -> None:
        version = getattr(current, "version", None)
        super().__init__(f"{where} is at version {version}, not {expected}; read it again and decide")
        self.where, self.expected, self.current = where, expected, current


class SealedError(BoardError):
    """A sealed region was read before it was closed, or written twice or after."""


class LogError(PhalanxError):
    """The log cannot be read or written."""


class LogConflict(LogError):
    """The stream does not end where the writer expected it to."""

    def __init__(self, stream: str, *, expected: int, actual: int) -> None:
        super().__init__(f"log stream {stream!r} ends at {actual}, not at {expected}")
        self.stream, self.expected, self.actual = stream, expected, actual


class RunBusy(LogError):
    """Somebody works on a run already: `holder` says who, `run_id` on which. Nothing was called."""

    def __init__(self, run_id: str, holder: str) -> None:
        super().__init__(
            f"run {run_id!r} is being worked on by {holder}; wait for its end, or end that first, then resume it"
        )
        self.run_id, self.holder = run_id, holder


class UncertainStep(LogError):
    """A step that must not be repeated was started and its end is unknown; decide, then resume."""

    def __init__(self, key: str, name: str) -> None:
        super().__init__(
            f"step {key} ({name}) was started and may or may not have happened; "
            "resume with decisions={key: 'retry'} or {key: 'skip'}"
        )
        self.key, self.name = key, name


class ReplayDivergence(LogError):
    """A step asks for something else than the journal recorded; `field` is the first that differs.

    `team` names the fields in which the team differs from the one that began the run, where that is known.
    """

    def __init__(self, key: str, field: str, recorded: object, asked: object, *, team: tuple[str, ...] = ()) -> None:
        more = f"; the team differs from the one that began the run in {', '.join(team)}" if team else ""
        super().__init__(
            f"step {key} differs from the journal in {field}: recorded {recorded!r}, asked {asked!r}{more}"
        )
        self.key, self.field, self.recorded, self.asked, self.team = key, field, recorded, asked, team


class TeamDiffers(ReplayDivergence):
    """The team is not the one that began the run; `key` is the run's id, `field` the first that differs in a spec."""

    def __init__(self, run_id: str, field: str, recorded: object, asked: object) -> None:
        super().__init__(run_id, field, recorded, asked, team=(field,))
        self.args = (
            f"run {run_id!r} was begun by another team: its {field} was {recorded!r}, and of this one it is {asked!r}; "
            "give the team that began it",
        )


class TeamError(PhalanxError):
    """A team has no answer to give; `result` holds all that was done and paid for."""

    def __init__(self, message: str, *, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class MemberFailed(TeamError):
    """A member that the formation cannot do without failed; `outcome` says how."""

    def __init__(self, member: str, outcome: object, reason: str) -> None:
        super().__init__(f"member {member!r} {reason}")
        self.member, self.outcome = member, outcome


class QuorumMissed(TeamError):
    """Fewer members answered than the formation needs."""

    def __init__(self, *, answered: int, needed: int, asked: int, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(
            f"{answered} of {asked} members answered, {needed} are needed"
            + (": " + "; ".join(reasons) if reasons else "")
        )
        self.answered, self.needed, self.asked, self.reasons = answered, needed, asked, reasons


class LimitExceeded(TeamError):
    """A run asked for more than it was given.

    `what` is the limit (calls, tokens, usd, seconds, depth), `owner` whose it is, `spent` what was used,
    `asked` what the refused call would have needed.
    """

    def __init__(self, what: str, *, spent: float, limit: float, owner: str = "the run", asked: float | None = None):
        need = "" if asked is None else f", {asked:g} more asked"
        super().__init__(
            f"{what} limit of {owner} reached: {spent:g} spent, {limit:g} allowed{need}; raise Limits({what}=…)"
        )
        self.what, self.spent, self.limit, self.owner, self.asked = what, spent, limit, owner, asked

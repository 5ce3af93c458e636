"""Models and switches for tests, demonstrations and theory: no provider, no network, no cost.

ScriptedModel    prepared replies, in order; an unexpected call or an unused reply is an error
FunctionModel    a function of the request
SimulatedModel   members of known skill, correlation and habits (`questions` makes tasks they can answer)
RecordedModel    answers from a data set or a cassette (`record` makes a cassette of any model)
Faulty           any model, with a provider's failures
forbid_real_calls, allow_real_calls    what may reach a provider

`phalanx.pytest_plugin` has them as fixtures.
"""

from phalanx.agents.models.cassette import Cassette, NoRecording, Recorder, record
from phalanx.agents.models.faults import (
    CutStream,
    EmptyAnswer,
    Fault,
    Faulty,
    Garbage,
    Hang,
    HugeAnswer,
    MalformedJSON,
    RateLimit,
    Repetition,
    ServerError,
    Timeout,
)
from phalanx.agents.models.guard import RealCallForbidden, allow_real_calls, forbid_real_calls, real_calls_allowed
from phalanx.agents.models.knowledge import Question, invent, questions
from phalanx.agents.models.offline import FunctionModel, ScriptedModel, ScriptError
from phalanx.agents.models.recorded import RecordedModel, Recording
from phalanx.agents.models.simulated import SimulatedModel

__all__ = [
    "Cassette",
    "CutStream",
    "EmptyAnswer",
    "Fault",
    "Faulty",
    "FunctionModel",
    "Garbage",
    "Hang",
    "HugeAnswer",
    "MalformedJSON",
    "NoRecording",
    "Question",
    "RateLimit",
    "RealCallForbidden",
    "RecordedModel",
    "Recorder",
    "Recording",
    "Repetition",
    "ScriptError",
    "ScriptedModel",
    "ServerError",
    "SimulatedModel",
    "Timeout",
    "allow_real_calls",
    "forbid_real_calls",
    "invent",
    "questions",
    "real_calls_allowed",
    "record",
]

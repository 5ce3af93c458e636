"""Answers that a run is to go on with: each to a question that is open, looked at before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping

from phalanx.errors import ValidationError
from phalanx.runtime.events import Paused
from phalanx.runtime.playback import Playback
from phalanx.settings import nearest


def check_answers(answers: Mapping[str, str] | None, playback: Playback, run_id: str) -> None:
    """Refuse answers that nobody waits for, which would be lost without a word.

    answers: by the questions' keys. playback: the journal of the run that is to go on. run_id: its id. To say once more
    what was answered is no mistake, so all answers of a run may be given at each of its pauses. Raises ValidationError,
    which names the open questions.
    """
    if answers is None:
        return
    if not isinstance(answers, Mapping):
        raise ValidationError(f"answers is a mapping of questions' keys to answers, not {type(answers).__name__}")
    options = {each.key: each.options for each in playback.events if isinstance(each, Paused)}
    for key, answer in answers.items():
        if key not in (asked := _asked(playback)):
            hint = nearest(str(key), asked) if asked else ""
            raise ValidationError(f"run {run_id!r} asks no question {key!r}{hint}; {_open(playback)}")
        if not isinstance(answer, str):
            raise ValidationError(f"answers[{key!r}]={answer!r}: an answer is text, not {type(answer).__name__}")
        if not playback.is_to_make(key):
            ended = playback.finished[key]
            if ended.result != answer:
                how = f"failed ({ended.error})" if ended.result is None else f"was answered with {ended.result!r}"
                raise ValidationError(
                    f"answers[{key!r}]={answer!r}: that question {how}, which stands; fork the run at it to answer it "
                    f"anew; {_open(playback)}"
                )
        elif options.get(key) and answer not in options[key]:
            raise ValidationError(f"answers[{key!r}]={answer!r}: it must be one of {', '.join(options[key])}")


def _asked(playback: Playback) -> list[str]:
    return [key for key, started in playback.started.items() if started.step == "human"]


def _open(playback: Playback) -> str:
    waiting = [key for key in _asked(playback) if playback.is_to_make(key)]
    return f"open are: {', '.join(waiting)}" if waiting else "no question is open"

"""The JSON schema of a team file, for editors and other programs.

`python -m phalanx.teams.schema > teams/team.schema.json` writes the published one anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from phalanx.agents.prompts import SLOTS
from phalanx.formations.aggregate import NAMED
from phalanx.formations.kinds import KINDS
from phalanx.formations.voting import RULES, AnyRule

from .form import TeamSpec

Schema = dict[str, Any]


def json_schema() -> Schema:
    """The JSON schema of a team file (draft 2020-12).

    It says of every field what `parse_team` takes there. What depends on several fields at once (a name given twice,
    an empty seat) only `parse_team` sees.
    """
    rules: TypeAdapter[Any] = TypeAdapter(AnyRule)
    team: TypeAdapter[TeamSpec] = TypeAdapter(TeamSpec)
    made, rest = TypeAdapter.json_schemas(
        [("team", "validation", team), ("rule", "validation", rules)], schema_generator=_Plain
    )
    forms: dict[str, Schema] = rest["$defs"]
    for name in [*(kind.__name__ for kind in KINDS.values()), *(rule.__name__ for rule in RULES.values())]:
        _require_kind(forms[name])
    rule = made[("rule", "validation")]["oneOf"]
    for form in forms.values():
        fields = form.get("properties", {})
        if "rule" in fields:
            fields["rule"] = {"anyOf": [{"enum": list(RULES)}, *rule, {"type": "null"}]}
        if "aggregation" in fields:
            default = fields["aggregation"]["default"]
            fields["aggregation"] = {"anyOf": [{"enum": list(NAMED)}, *rule], "default": default}
        if "prompts" in fields:
            fields["prompts"]["propertyNames"] = {"enum": list(SLOTS)}
    # What only code can give.
    del forms["Pipeline"]["properties"]["validators"]
    del forms["Market"]["properties"]["settle"]
    del forms["Equivalence"]["properties"]["relation"]
    forms["RetryConfig"]["properties"]["retry_on_exceptions"]["items"] = {"type": "string"}
    formation = forms["TeamSpec"]["properties"]["formation"]
    forms["TeamSpec"]["properties"]["formation"] = {"anyOf": [{"enum": list(KINDS)}, *formation["oneOf"]]}
    members = forms["TeamSpec"]["properties"]["members"]
    members["items"] = {"anyOf": [{"type": "string", "minLength": 1}, members["items"]]}
    member = forms["MemberSpec"]
    member["anyOf"] = [{"required": ["name"]}, {"required": ["role"]}, {"required": ["team"]}]
    member["dependentSchemas"] = {"team": {"propertyNames": {"enum": ["name", "seat", "team"]}}}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A Phalanx team"}
    return {**head, "$ref": "#/$defs/TeamSpec", "$defs": forms}


class _Plain(GenerateJsonSchema):
    """Without titles that only repeat the names of fields, and without what is not JSON schema."""

    ignored_warning_kinds = {"non-serializable-default"}

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False

    def callable_schema(self, _schema: object) -> Schema:
        """What no file can hold. (By itself it would drop every form around it, without a word.)"""
        return {"not": {}}

    def tagged_union_schema(self, schema: Any) -> Schema:
        made = super().tagged_union_schema(schema)
        made.pop("discriminator", None)
        return made


def _require_kind(form: Schema) -> None:
    form["properties"]["kind"].pop("default")
    form["required"] = ["kind", *form.get("required", ())]


def text_of(schema: Mapping[str, object]) -> str:
    """A schema as the text of its file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text_of(json_schema()))

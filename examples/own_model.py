"""A model of one's own is a function; a typed answer is a pydantic type.

python examples/own_model.py
"""

import anyio
from pydantic import BaseModel

from phalanx import Agent
from phalanx.messages import Request
from phalanx.testing import FunctionModel


class City(BaseModel):
    name: str
    founded: int


def answer(request: Request) -> str:
    print("asked:", request.messages[-1].content)
    return '{"name": "Ulm", "founded": 854}'


async def main() -> None:
    agent = Agent("researcher", model=FunctionModel(answer), output=City)
    result = await agent.run("Name an old city.")
    city = result.output
    print(f"{city.name}, founded in {city.founded} ({result.usage.calls} call, cost {result.cost})")


anyio.run(main)

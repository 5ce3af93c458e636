"""One mind: a role, a model, tools, a memory; and the prompts it is given."""

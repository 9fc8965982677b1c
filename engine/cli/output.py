"""What machines read."""

import json
from collections.abc import Mapping, Sequence

import click
from pydantic import BaseModel


def print_json(value: BaseModel | Sequence[BaseModel] | Mapping[str, object]) -> None:
    """Print the value as JSON; every character outside ASCII is escaped, so it is inert."""
    plain: object = value
    if isinstance(value, BaseModel):
        plain = value.model_dump(mode="json")
    elif not isinstance(value, Mapping):
        plain = [one.model_dump(mode="json") for one in value]
    click.echo(json.dumps(plain))

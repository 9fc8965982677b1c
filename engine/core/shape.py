"""The base of every shape: frozen, and closed to fields it does not know."""

from pydantic import BaseModel, ConfigDict

type_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Shape(BaseModel):
    """A frozen record with exactly the fields it declares."""

    model_config = type_config

"""The facts of the contract as pydantic models, one module a room. No I/O, and nothing here imports upwards."""

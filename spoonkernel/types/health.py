"""Health: what is connected."""

from typing import Literal

from spoonkernel.types.base import Timestamp, Wire

ServiceState = Literal["connected", "disconnected", "not_configured", "embedded"]


class Services(Wire):
    database: ServiceState
    redis: ServiceState
    ollama: ServiceState
    comfyui: ServiceState


class Health(Wire):
    """`unhealthy` only when the store cannot be reached; `degraded` when something that was named is away."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: Timestamp
    services: Services

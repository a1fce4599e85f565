from spoonkernel.types.base import utc_now


async def test_health_says_what_is_connected(workbench, config):
    health = await workbench.health.check()
    assert health.services.database == ("connected" if config.database_url else "embedded")
    assert health.services.redis == "embedded"
    assert health.services.comfyui == "not_configured"
    assert abs((utc_now() - health.timestamp).total_seconds()) < 60


async def test_health_is_degraded_when_a_named_service_is_away(workbench, upstream):
    assert (await workbench.health.check()).status == "degraded"  # nothing is scripted: the Ollama named is not one
    upstream.reply("/api/version", json={"version": "0.9.0"})
    health = await workbench.health.check()
    assert (health.status, health.services.ollama) == ("healthy", "connected")

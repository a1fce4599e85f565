"""Who answers: thin adapters over each provider's HTTP API. Pure `encode`/`decode` plus one shell (`http.py`)."""

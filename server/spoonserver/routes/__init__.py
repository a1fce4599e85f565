"""The endpoints, one module a room. A route says what HTTP says; the work lies in the room's service."""

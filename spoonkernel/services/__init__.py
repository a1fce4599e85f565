"""What Spoon does, one file a room. Services satisfy the Protocols of `spoonkernel.api`."""

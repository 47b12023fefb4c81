"""Registries: instances' own databases that the portal is attached to. Look into its modules; nothing is here."""

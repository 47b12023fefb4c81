"""The face towards existing `lamindb` clients: their wire protocol, over the same services as every other face."""

"""The face for programs: JSON under `/api/v1`, over the same services as every other face."""

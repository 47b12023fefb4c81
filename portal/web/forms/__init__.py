"""Forms shape input; services judge it. One file a noun."""

"""The adapter to LaminDB's own world: its ids, its object paths, its marker file, its tables."""

"""A filled world to look around in: `make demo`. Real servers and real objects, in a folder of its own."""

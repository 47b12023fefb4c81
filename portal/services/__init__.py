"""Use-cases as functions, one noun a file; the same for every face.

Every function takes a `Work` first and begins with `require(...)`. Services flush, edges commit.
"""

"""The tables of revision 0001, by what they are about. Like the revision, they are not changed any more."""

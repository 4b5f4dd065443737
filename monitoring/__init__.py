"""Monitoring of the running system; what is Python here only writes files and is in no package that is installed."""

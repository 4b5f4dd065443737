"""The database of the alarm history: its address, its tables and their migrations."""

"""The past: what patients' devices sent, what was judged and what was alarmed, read back from where it is kept."""

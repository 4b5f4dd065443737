"""Networks and rules that lost against the shipped ones, and the comparisons that showed it."""

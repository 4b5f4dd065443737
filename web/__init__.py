"""The REST interface and the live page: watch patients, score a file, answer an alarm."""

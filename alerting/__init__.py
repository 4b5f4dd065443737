"""From verdicts to alarms: few, ranked, explained, and each answered for by somebody."""

"""The detector's job written with other stream processors, to be measured beside it: see docs/peers.md."""

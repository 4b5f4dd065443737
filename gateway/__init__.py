"""Real devices into ecg.samples: what they send is stored once, or refused with its reason."""

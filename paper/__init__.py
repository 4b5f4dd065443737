"""The way back from paper: a picture of an ECG in, samples in millivolts out."""

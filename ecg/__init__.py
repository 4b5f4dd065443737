"""An ECG and its parts: records, filters, windows, beats, labels and quality. Arrays in, arrays out."""

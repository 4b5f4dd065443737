"""What an ECG is: records, filters, windows, beats, labels and quality. Arrays in, arrays out."""

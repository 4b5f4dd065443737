"""The scale of ECG paper, and where on a drawing a time lies."""

from reports.strip import Strip

MM_PER_S = 25.0
MM_PER_MV = 10.0
MM_PER_INCH = 25.4
PULSE_MM = 15.0  # left of the trace: room for the calibration pulse of 1 mV and 0.2 s
FOOTER_MM = 4.5  # below the paper: the scale and what the marks mean


def x_mm(strip: Strip, t_s: float) -> float:
    """Return the distance of a time from the drawing's left edge, mm."""
    return PULSE_MM + (t_s - strip.start_s) * MM_PER_S

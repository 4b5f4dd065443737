"""Names of signals: what stands around a lead's name, and which names are of something else than an ECG."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

_IN_BRACKETS = re.compile(r"[(\[{][^)\]}]*[)\]}]?")
_BETWEEN = re.compile(r"[\s_.,:;/|\\+*#'\"()\[\]{}-]+")
_MU = "\N{GREEK SMALL LETTER MU}"  # which the micro sign becomes
_CJK = "\u3040-\u9fff\uac00-\ud7af"
_JOINTS = re.compile(  # leadII, 2Lead, 第II誘導
    f"(?<=[a-z]{{2}})(?=[A-Z0-9])|(?<=\\d)(?=[A-Z][a-z]{{2}})|(?<=[{_CJK}])(?=[^{_CJK}])|(?<=[^{_CJK}])(?=[{_CJK}])"
)


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names of an ECG that do not say which lead it is.
ECG_TERMS = _terms(
    """ECG EKG ЭКГ ЕКГ ΗΚΓ 心电 心电图 心電 心電図 심전도 ELECTROCARDIOGRAM ELECTROCARDIOGRAMA ELECTROCARDIOGRAMME
    ELETTROCARDIOGRAMMA ELEKTROKARDIOGRAMM ELETROCARDIOGRAMA HERZ CARDIAC"""
)
# "Lead" in the languages of devices: a digit behind it is a limb lead, where one behind "ECG" counts channels.
LEAD_TERMS = _terms(
    """LEAD LEADS ABLEITUNG ABL DERIVATION DÉRIVATION DERIV DERIVACION DERIVACIÓN DERIVAÇÃO DERIVACAO DERIVAZIONE
    AFLEIDING AVLEDNING AFLEDNING AVLEDN KYTKENTÄ ODPROWADZENIE SVOD ELVEZETÉS DERIVASYON DERIVATIE ОТВЕДЕНИЕ ΑΠΑΓΩΓΗ
    导联 導聯 誘導 유도 EXTREMITÄTENABLEITUNG BRUSTWANDABLEITUNG"""
)
# What else stands around a lead's bare name: ISO/IEEE 11073 (MDC_ECG_LEAD_II), EDF (II-REF), amplifiers (24BIT_CAL).
AROUND = (
    ECG_TERMS
    | LEAD_TERMS
    | _terms(
        """MDC ELEC POTL REF MV UV NV VOLT VOLTS MILLIVOLT MILLIVOLTS MICROVOLT MICROVOLTS VOLTAGE CAL RAW FILTERED
        FILT SIGNAL DATA VALUE VALUES AMPLITUDE CHEST LIMB PRECORDIAL STANDARD WILSON GOLDBERGER BRUSTWAND
        THORACIC 第 24BIT 16BIT 12BIT"""
    )
)
_GLUED = re.compile(f"^(?:{'|'.join(sorted(ECG_TERMS | LEAD_TERMS, key=len, reverse=True))})(?=.)")

# By kind, words of which one makes a name that of something else. In capitals, as whole words.
_OTHERS: Mapping[str, str] = {
    "respiration": """RESP RESPIRATION RESPIRATORY RESPIRACION RESPIRACIÓN RESPIRAÇÃO RESPIRACAO RESPIRAZIONE BREATH
        BREATHING BREATHS ATMUNG ATEM ATEMFREQUENZ ADEMHALING ANDNING ODDECH ДЫХАНИЕ 呼吸 THOR THORAX ABDO ABDOMEN
        ABDOMINAL EFFORT FLOW AIRFLOW NASAL CO2 ETCO2 SNORE SNORING SCHNARCHEN""",
    "heart rate": """HR BPM PULSE PULS RATE HEARTRATE HERZFREQUENZ PULSO POULS FC ЧСС 心率 心拍 RR RRI IBI NN HRV
        INTERVAL INTERVALS RPEAK RPEAKS PEAK PEAKS QRS QTC BEAT BEATS""",
    "pulse wave": "PLETH PPG BVP SPO2 SAO2 OXYGEN SATURATION SÄTTIGUNG IR RED GREEN INFRARED AMBIENT",
    "pressure": "ABP ART BP NIBP CVP PAP ICP UAP UVP PRESSURE DRUCK SYS DIA SYSTOLIC DIASTOLIC MAP",
    "EEG": "EEG EOG LOC ROC ECOG",
    "EMG": "EMG CHIN TIBIALIS LEG LEGS KINN",
    "skin": "EDA GSR SKIN TEMP TEMPERATURE TEMPERATUR TEMPERATURA HUMIDITY",
    "movement": """ACC ACCEL ACCELEROMETER ACCELERATION ACELEROMETRO BESCHLEUNIGUNG ACCX ACCY ACCZ GYRO GYROSCOPE MAG
        MAGNETOMETER MOTION MOVEMENT ACTIVITY STEPS POSITION POS ORIENTATION PITCH ROLL YAW BEWEGUNG""",
    "noise": "NOISE RAUSCHEN RUIDO BRUIT RUMORE ШУМ 噪声",
    "sound": "PCG PHONO SOUND AUDIO MICROPHONE MIC MIKROFON",
    "device": """BATTERY BATT AKKU STATUS QUALITY SQI IMPEDANCE IMPEDANZ IMP LEADOFF LOFF RSSI CRC CHECKSUM ERROR FLAG
        FLAGS DIGITAL LIGHT LUX GAIN OFFSET ALTITUDE LATITUDE LONGITUDE SPEED CADENCE POWER""",
    "marker": "MARKER MARK TRIGGER TRIG EVENT EVENTS MARKE EREIGNIS EVENTO BUTTON STIM",
    "label": """LABEL LABELS CLASS CLASSES TARGET ANNOTATION ANNOTATIONS ANN SYMBOL RHYTHM DIAGNOSIS CATEGORY TYPE
        KLASSE STAGE SUBJECT PATIENT ID AGE SEX GENDER COMMENT COMMENTS NOTE NOTES""",
}
_KIND_OF = {term: kind for kind, terms in _OTHERS.items() for term in terms.split()}
# Electrodes of the 10-20 system. C1 to C6 are chest leads by IEC 60601-2-25 as well: the company they keep tells.
_EEG_ONLY = _terms(
    """FP1 FP2 FPZ F3 F4 F7 F8 FZ CZ P3 P4 P7 P8 PZ O1 O2 OZ T3 T4 T5 T6 T7 T8 M1 M2 A1 A2 FC1 FC2 FC5 FC6 CP1 CP2
    CP5 CP6 AF3 AF4 PO3 PO4 E1 E2"""
)
_EEG_OR_CHEST = frozenset({"C1", "C2", "C3", "C4", "C5", "C6"})


@lru_cache(maxsize=4096)
def terms_of(name: str) -> tuple[str, ...]:
    """Return the words of a signal's name in capitals: "ecgLead2 (mV)" is ECG, LEAD, 2; brackets count where alone."""
    plain = unicodedata.normalize("NFKC", name).replace(_MU, "u").strip()
    outside = _IN_BRACKETS.sub(" ", plain)
    return _split(outside) or _split(plain)


def _split(text: str) -> tuple[str, ...]:
    terms: list[str] = []
    for part in _BETWEEN.split(text):
        for piece in _JOINTS.split(part):
            term = piece.upper()
            while term not in _KIND_OF and term not in AROUND and (glued := _GLUED.match(term)):
                terms.append(glued[0])
                term = term[glued.end() :]
            if term:
                terms.append(term)
    return tuple(terms)


def is_ecg(name: str) -> bool:
    """Return whether a name says that it is an ECG, and nothing else: "EKG1", "ecg_mV", not "ECG quality"."""
    terms = terms_of(name)
    if any(term in _KIND_OF for term in terms):
        return False
    return any(term in ECG_TERMS or term.endswith(("ECG", "EKG")) for term in terms)


def other_signals(names: Sequence[str]) -> tuple[str | None, ...]:
    """Return what each of a recording's signals is by name if that is no ECG, such as "respiration"; else None.

    Parameters
    ----------
    names : of all signals, since C3 among leads is a chest lead and among electrodes of the head is none
    """
    split = [terms_of(name) for name in names]
    head = any(term in _EEG_ONLY for terms in split for term in terms)
    return tuple(_other(terms, head=head) for terms in split)


def _other(terms: Iterable[str], *, head: bool) -> str | None:
    terms = tuple(terms)
    kind = next((_KIND_OF[term] for term in terms if term in _KIND_OF), None)
    if kind is not None:
        return kind
    if any(term in _EEG_ONLY for term in terms) or (head and any(term in _EEG_OR_CHEST for term in terms)):
        return "EEG"
    return None

"""What senders call the events of meters, as one vocabulary: numbers of DLMS/IDIS and SMETS, CIM types, plain words.

Where several public sources give a number the same meaning it is here; a number that only one vendor uses so is not.
What nobody here knows stays OTHER and keeps the sender's spelling, so that it can be mapped later (`map_events`).
"""

import re
from functools import lru_cache

from apps.readings.models import MeterEvent

Code = MeterEvent.Code

# IDIS and DSMR event numbers. Sources: OSGP open-smart-grid-platform, EventTypeDtoLookup (1 to 8, 16, 40 to 47, 103 to
# 133, 255); Honeywell Connexo, dsmr23 FraudDetectionLog and DisconnectControlLog (60 to 64), IDIS event logs (49, 50);
# ../shared/FIELD.md (48, 52). Dutch SMR 5 uses 48 and 49 for the cover of the module: there the words have to say so.
IDIS = {
    1: Code.POWER_OUTAGE,
    2: Code.POWER_RESTORED,
    3: Code.OTHER,  # daylight saving on or off: no event of the meter
    4: Code.CLOCK_SET,  # the old time
    5: Code.CLOCK_SET,  # the new time
    6: Code.CLOCK_INVALID,
    7: Code.BATTERY_LOW,
    8: Code.BATTERY_LOW,
    16: Code.MEASUREMENT_FAULT,
    40: Code.TERMINAL_COVER_OPENED,
    41: Code.TERMINAL_COVER_CLOSED,
    42: Code.MAGNETIC_FIELD,
    43: Code.MAGNETIC_FIELD_GONE,
    44: Code.COVER_OPENED,
    45: Code.COVER_CLOSED,
    46: Code.LOGIN_FAILED,
    47: Code.CONFIGURATION_CHANGED,
    48: Code.KEY_CHANGED,
    49: Code.DECRYPTION_FAILED,
    50: Code.REPLAY_ATTACK,
    52: Code.CURRENTS_UNEQUAL,
    60: Code.DISCONNECTED,
    61: Code.CONNECTED,
    62: Code.DISCONNECTED,
    63: Code.CONNECTED,
    64: Code.DISCONNECTED,
    103: Code.SUB_METER_FRAUD,
    113: Code.SUB_METER_FRAUD,
    123: Code.SUB_METER_FRAUD,
    133: Code.SUB_METER_FRAUD,
    255: Code.LOG_CLEARED,
}

# Great Britain's alert codes. Source: Aclara SGM1400 and SGM1430 SMETS2 user manuals, appendix A.
SMETS = {
    0x8F35: Code.POWER_RESTORED,
    0x8F36: Code.POWER_RESTORED,
    0x8F57: Code.POWER_OUTAGE,
    0x8F3D: Code.LOGIN_FAILED,
    0x8F3E: Code.LOGIN_FAILED,
    0x8F3F: Code.TAMPER_SUSPECTED,
    0x8F74: Code.COVER_OPENED,
    0x8F75: Code.MAGNETIC_FIELD,
    0x8F76: Code.TERMINAL_COVER_OPENED,
    0x8F78: Code.TAMPER_SUSPECTED,
    0x81BB: Code.REVERSE_ROTATION,
    0x81BC: Code.MAGNETIC_FIELD_GONE,
    0x81C1: Code.TERMINAL_COVER_CLOSED,
    0x81AC: Code.MEASUREMENT_FAULT,
    0x8145: Code.CLOCK_SET,
}

# Reason codes of AEMO's meter data file format (NEM12), as its importer names them. Source: the list of reason codes of
# a Rust parser of NEM12. People's reasons for not reading a meter are among them; those stay OTHER.
NEM12 = {
    **dict.fromkeys((22, 23, 24, 25, 26, 27, 31), Code.TAMPER_SUSPECTED),  # seals missing
    **dict.fromkeys((60, 63, 70), Code.TAMPER_SUSPECTED),  # illegal connection, equipment tampered, probe reports so
    39: Code.REVERSE_ROTATION,
    **dict.fromkeys((43, 58, 79), Code.POWER_OUTAGE),
    86: Code.CLOCK_INVALID,
    89: Code.CLOCK_SET,
}

# CIM EndDeviceEventType is type.domain.subDomain.eventOrAction. Names of the numbers: Honeywell Connexo,
# com.elster.jupiter.cbo EndDeviceDomain, EndDeviceSubDomain, EndDeviceEventOrAction. Uses seen: its
# EndDeviceEventTypeFactory [C]; Aclara's ALRM_Handler.h [A]; the events of a utility in the US with their texts [U].
BATTERY, CONFIGURATION, SECURITY, LOAD_CONTROL, LOGS, METROLOGY, POWER, SWITCH, CLOCK = 2, 7, 12, 15, 17, 21, 26, 31, 36
ROTATION_OF_U = 33  # only seen in [U]: 3.33.1.219 reverse rotation, 3.33.1.257 tamper attempt suspected
CIM: list[tuple[int, set[int], set[int], Code]] = [
    # domain; subdomains, empty for any; actions; the first that fits
    (SECURITY, {141}, {212, 39}, Code.COVER_OPENED),  # Enclosure Removed [C], Opened
    (SECURITY, {141}, {16}, Code.COVER_CLOSED),  # [C]
    (SECURITY, {29}, {212, 39}, Code.TERMINAL_COVER_OPENED),  # Cover Removed [C, A]
    (SECURITY, {29}, {16}, Code.TERMINAL_COVER_CLOSED),  # [C]
    (SECURITY, {66}, {242, 257}, Code.MAGNETIC_FIELD),  # MagneticSwitch Started [C], TamperDetected
    (SECURITY, {66}, {243}, Code.MAGNETIC_FIELD_GONE),  # [C]
    (SECURITY, {6, 48, 93}, {219}, Code.REVERSE_ROTATION),  # Current [C], Flow [U], Rotation [U] Reversed
    (SECURITY, {1, 24, 65}, {35, 38, 85}, Code.LOGIN_FAILED),  # Access [C], Password [C, A], Login [C]
    (SECURITY, {32}, {24}, Code.KEY_CHANGED),  # SecurityKey Changed [C]
    (SECURITY, {16, 36}, {79, 85}, Code.DECRYPTION_FAILED),  # ciphering error [C], Decryption Failed
    (SECURITY, {74}, {35}, Code.REPLAY_ATTACK),  # [C]
    (SECURITY, {147}, {7}, Code.SUB_METER_FRAUD),  # MeterBus Attempted [C]
    (SECURITY, set(), {257}, Code.TAMPER_SUSPECTED),  # 12.0.257, 12.17.257 [U], 12.43.257 [C]
    (ROTATION_OF_U, {1}, {219}, Code.REVERSE_ROTATION),
    (ROTATION_OF_U, {1}, {257}, Code.TAMPER_SUSPECTED),
    (SWITCH, {1}, {143}, Code.LOAD_SIDE_VOLTAGE),  # [U]
    (SWITCH, {0, 26}, {68}, Code.DISCONNECTED),  # ControlPoint Disconnected [C]
    (SWITCH, {0, 26}, {42}, Code.CONNECTED),
    (LOAD_CONTROL, {26}, {68}, Code.DISCONNECTED),  # [C]
    (LOAD_CONTROL, {26}, {42}, Code.CONNECTED),
    (POWER, {0}, {47, 85}, Code.POWER_OUTAGE),  # LossDetected [U], Failed [A]
    (POWER, {38}, {85}, Code.POWER_OUTAGE),  # Voltage Failed [C]; 26.38.47 is a low potential in [U]
    (POWER, {136}, {47, 66}, Code.POWER_OUTAGE),  # the radio's last gasp [U]
    (POWER, {17}, {185}, Code.POWER_OUTAGE),  # [U]
    (POWER, {0, 17, 136}, {216}, Code.POWER_RESTORED),  # Restored [A, U]
    (POWER, {38}, {49}, Code.POWER_RESTORED),  # [C]
    (POWER, {93}, {219}, Code.UNEXPECTED_EXPORT),  # received kWh [A]
    (CLOCK, {34, 114, 116}, {13, 14, 24}, Code.CLOCK_SET),  # Date, Time, TimeSync [C, A]
    (CLOCK, {0, 109, 114, 117}, {35, 63, 73, 79, 85}, Code.CLOCK_INVALID),  # [C, A, U]
    (BATTERY, {0, 22}, {85, 150}, Code.BATTERY_LOW),  # [C, A, U]
    (LOGS, {44}, {28}, Code.LOG_CLEARED),  # EventLog Cleared [C]
    (METROLOGY, {1, 67}, {79}, Code.MEASUREMENT_FAULT),  # [C, A, U]
    (CONFIGURATION, {0, 31, 83}, {24}, Code.CONFIGURATION_CHANGED),  # [C, A]
]
CONCENTRATOR = 10  # a type of device that is no meter
CIM_TYPE = re.compile(r"^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$")

# Words, as `spelled` makes them; a code of ours stands for itself. Each is looked for as a whole text first, then, in
# this order, as whole words that occur in a longer text: what went away or was closed before what came.
WORDS: list[tuple[Code, list[str]]] = [
    (Code.MAGNETIC_FIELD_GONE, [
        "no strong dc field anymore", "magnetic field gone", "magnetic field removed",
        "strong magnetic field removed", "magnetic tamper end", "end of magnetic", "magnet removed",
        "magnetic influence ceased", "magnetfeld beendet", "champ magnetique disparu", "campo magnetico finalizado",
    ]),
    (Code.MAGNETIC_FIELD, [
        "strong dc field", "magnetic field", "magnetic tamper", "magnetic influence", "magnet detected",
        "magnet tamper", "magnet", "magnetfeld", "champ magnetique", "campo magnetico", "magnetismo",
    ]),
    (Code.TERMINAL_COVER_CLOSED, [
        "terminal cover closed", "terminal cover close", "klemmendeckel geschlossen", "klemmdeckel geschlossen",
        "cache bornes ferme", "tapa de bornes cerrada",
    ]),
    (Code.TERMINAL_COVER_OPENED, [
        "terminal cover removed", "terminal cover opened", "terminal cover open", "terminal cover",
        "klemmendeckel geoffnet", "klemmendeckel", "klemmdeckel", "cache bornes", "cache bornes ouvert",
        "tapa de bornes", "tapa bornera", "tampa de terminais",
    ]),
    (Code.COVER_CLOSED, [
        "meter cover closed", "cover closed", "cover close", "case closed", "enclosure closed", "gehause geschlossen",
        "module cover closed", "deckel geschlossen", "capot ferme", "tapa cerrada", "tampa fechada",
    ]),
    (Code.COVER_OPENED, [
        "meter cover removed", "module cover opened", "meter cover opened", "meter cover open", "cover opened",
        "cover open",
        "cover removed", "case opened", "case open", "enclosure opened", "top cover", "gehause geoffnet",
        "gehause offen", "deckel geoffnet", "deckel offen", "capot ouvert",
        "ouverture capot", "tapa abierta", "apertura de tapa", "tampa aberta",
    ]),
    (Code.REVERSE_ROTATION, [
        "reverse rotation", "reverse run", "reverse energy", "reverse current", "reverse flow", "rucklauf",
        "rotation inverse", "energia inversa", "giro inverso",
    ]),
    (Code.CURRENT_WITHOUT_VOLTAGE, [
        "current in absence of voltage", "current without voltage", "current no voltage", "strom ohne spannung",
        "courant sans tension", "corriente sin tension",
    ]),
    (Code.CURRENTS_UNEQUAL, [
        "phase and neutral current unequal", "phase and neutral current differ", "currents unequal", "current bypass",
        "neutral disturbance", "neutral current mismatch", "earth load tamper", "current imbalance",
    ]),
    (Code.LOAD_SIDE_VOLTAGE, [
        "load side voltage", "voltage behind an open switch",
    ]),
    (Code.UNEXPECTED_EXPORT, [
        "unexpected energy export", "unexpected export", "received kwh", "ruckspeisung",
    ]),
    (Code.REPLAY_ATTACK, [
        "replay attack", "replayed message",
    ]),
    (Code.DECRYPTION_FAILED, [
        "decryption failed", "decryption failure", "decrypt fail", "ciphering error",
        "decryption or authentication failure", "n times decrypt fail",
    ]),
    (Code.LOGIN_FAILED, [
        "failed login attempt", "failed login", "login failed", "wrong password",
        "association authentication failure", "n times wrong password", "authentication failure", "invalid password",
        "unauthorised communication access attempted", "unauthorized communication access attempted",
    ]),
    (Code.KEY_CHANGED, [
        "global key changed", "key changed", "keys updated", "schlussel geandert",
    ]),
    (Code.LOG_CLEARED, [
        "event log cleared", "eventlog cleared", "log cleared", "events cleared", "log geloscht", "journal efface",
        "registro de eventos borrado",
    ]),
    (Code.SUB_METER_FRAUD, [
        "fraud attempt m bus", "fraud attempt mbus", "sub meter fraud",
    ]),
    (Code.CONFIGURATION_CHANGED, [
        "configuration change", "configuration changed", "parameter changed", "altered configuration",
        "konfiguration geandert", "parametrierung geandert", "configuration modifiee", "cambio de configuracion",
    ]),
    (Code.POWER_RESTORED, [
        "power returned", "power restored", "power restore", "power restoration", "primary power up", "power up",
        "power on", "supply outage restored", "spannungswiederkehr", "netzwiederkehr", "retour tension",
        "retour secteur", "retorno de tension", "energia restablecida",
    ]),
    (Code.POWER_OUTAGE, [
        "power failure", "power outage", "power outage alarm", "primary power down", "power down", "power fail",
        "power loss", "power off", "last gasp", "supply interrupted", "stromausfall", "netzausfall",
        "spannungsausfall", "coupure", "coupure secteur", "corte de energia", "corte de suministro",
        "fallo de tension", "falta de energia",
    ]),
    (Code.CLOCK_INVALID, [
        "clock invalid", "invalid clock", "clock error", "loss of time", "uhr ungultig", "horloge invalide",
        "reloj invalido",
    ]),
    (Code.CLOCK_SET, [
        "clock set", "clock adjusted", "clock adjusted old time", "clock adjusted new time", "clock change",
        "clock changed", "time set", "time changed", "set clock", "uhr gestellt", "mise a l heure", "cambio de hora",
        "ajuste de reloj",
    ]),
    (Code.BATTERY_LOW, [
        "battery low", "low battery", "battery voltage low", "replace battery", "batterie schwach", "batterie faible",
        "bateria baja",
    ]),
    (Code.MEASUREMENT_FAULT, [
        "measurement system error", "hardware error measurement system", "measurement error", "measurement fault",
        "messfehler", "erreur de mesure", "error de medida",
    ]),
    # Before "connected", which every "disconnected" ends in, though not as a word of its own.
    (Code.DISCONNECTED, [
        "manual disconnection", "remote disconnection", "local disconnection", "disconnected", "disconnection",
        "switch opened", "abgeschaltet", "coupure a distance", "desconectado",
    ]),
    (Code.CONNECTED, [
        "manual connection", "remote connection", "connected", "switch closed", "zugeschaltet", "conectado",
        "reconectado",
    ]),
    # Last: the word for what nobody said more exactly.
    (Code.TAMPER_SUSPECTED, [
        "tamper attempt suspected", "tamper attempt detected", "detected a tamper attempt", "tamper detected",
        "detected tampering", "tamper suspected", "tampering", "tamper", "meter inversion",
        "unauthorised physical access", "unauthorized physical access", "fraud", "manipulation",
        "manipulationsversuch", "fraude", "manipulacion", "violacao",
    ]),
]  # fmt: skip
ENDS = {Code.MAGNETIC_FIELD_GONE, Code.POWER_RESTORED, Code.LOG_CLEARED, Code.COVER_CLOSED, Code.TERMINAL_COVER_CLOSED}
CLEARED = re.compile(r"\b(cleared|end of|ended|ceased|no longer|normal again)\b")

PLAIN = str.maketrans("äöüßáàâãéèêíìîóòôõúùûçñ", "aousaaaaeeeiiioooouuucn")


def spelled(text: str) -> str:
    """Words without case, accents and signs: `TERMINAL_COVER_REMOVED` is `terminal cover removed`."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower().translate(PLAIN)).strip()


EXACT = {spelled(name): code for code, names in WORDS for name in [*names, code.value]}
WITHIN = [(code, re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b")) for code, names in WORDS]


def code_of(source: str, text: str = "") -> Code:
    """What an event is, from its code and the words beside it; OTHER where neither is known.

    A text that is known as a whole has the first word: vendors use numbers of their own. Then the code, then what words
    occur in the text.
    """
    for found in (EXACT.get(spelled(text), Code.OTHER), _of_source(source.strip())):
        if found != Code.OTHER:
            return found
    return _of_words(text)


@lru_cache(maxsize=4096)  # codes are few, texts may be all different
def _of_source(source: str) -> Code:
    found = _of_words(source)
    return found if found != Code.OTHER else _of_number(source)


def _of_words(text: str) -> Code:
    said = spelled(text)
    if said in EXACT:
        return EXACT[said]
    for code, names in WITHIN:
        if names.search(said):
            # "Measurement error cleared": the end of something is no event of its own unless our vocabulary names it.
            return Code.OTHER if CLEARED.search(said) and code not in ENDS else code
    return Code.OTHER


def _of_number(source: str) -> Code:
    if cim := CIM_TYPE.match(source):
        return _of_cim(*map(int, cim.groups()))
    if re.match(r"^0[xX]8[0-9a-fA-F]{3}$", source) or re.match(r"^8[0-9A-F]{3}$", source):
        return SMETS.get(int(source, 16), Code.OTHER)
    if nem12 := re.match(r"^NEM12:(\d{1,2})$", source):
        return NEM12.get(int(nem12[1]), Code.OTHER)
    if re.match(r"^\d{1,3}(\.0)?$", source):
        return IDIS.get(int(float(source)), Code.OTHER)
    return Code.OTHER


def _of_cim(device: int, domain: int, subdomain: int, action: int) -> Code:
    if device == CONCENTRATOR:
        return Code.OTHER
    for in_domain, subdomains, actions, code in CIM:
        if domain == in_domain and action in actions and (not subdomains or subdomain in subdomains):
            return code
    return Code.OTHER

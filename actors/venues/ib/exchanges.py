"""IB's names of exchanges, the codes of ISO 10383 (MIC), and the calendars of their sessions."""

MIC_OF = {
    "NASDAQ": "XNAS",
    "ISLAND": "XNAS",
    "NYSE": "XNYS",
    "ARCA": "ARCX",
    "AMEX": "XASE",
    "BATS": "BATS",
    "IEX": "IEXG",
    "PINK": "PINX",
    "CBOE": "XCBO",
    "CBOEIND": "XCBO",
    "CFE": "XCBF",
    "CME": "XCME",
    "GLOBEX": "XCME",
    "CBOT": "XCBT",
    "ECBOT": "XCBT",
    "NYMEX": "XNYM",
    "COMEX": "XCEC",
    "NYBOT": "IFUS",
    "TSE": "XTSE",
    "VENTURE": "XTSX",
    "LSE": "XLON",
    "LSEETF": "XLON",
    "IBIS": "XETR",
    "IBIS2": "XETR",
    "FWB": "XFRA",
    "EUREX": "XEUR",
    "SBF": "XPAR",
    "AEB": "XAMS",
    "EBS": "XSWX",
    "BVME": "XMIL",
    "BM": "XMAD",
    "TSEJ": "XTKS",
    "OSE.JPN": "XOSE",
    "SEHK": "XHKG",
    "HKFE": "XHKF",
    "SGX": "XSES",
    "ASX": "XASX",
    "KSE": "XKRX",
}
"""The first of two names for one MIC is the one that IB is asked with."""
EXCHANGE_OF = {mic: exchange for exchange, mic in reversed(MIC_OF.items())}
FUTURES_MICS = frozenset({"XCBF", "XCME", "XCBT", "XNYM", "XCEC", "IFUS", "XEUR", "XOSE", "XHKF"})
US_MICS = frozenset({"XNAS", "XNYS", "ARCX", "XASE", "BATS", "IEXG", "PINX"})
"""Share classes: `BRK B` at IB is `BRK.B` here, as at other US brokers."""
OPTIONS_MIC = "OPRA"
"""Of US options that trade at many exchanges at once."""
FOREX_EXCHANGE = "IDEALPRO"

CALENDAR_OF = {
    "XNAS": "XNYS",
    "XNYS": "XNYS",
    "ARCX": "XNYS",
    "XASE": "XNYS",
    "BATS": "XNYS",
    "IEXG": "XNYS",
    "PINX": "XNYS",
    "OPRA": "XNYS",
    "XCME": "CMES",
    "XCBT": "CMES",
    "XNYM": "CMES",
    "XCEC": "CMES",
    "XCBF": "XCBF",
    "IDEALPRO": "24/5",
    "XTSE": "XTSE",
    "XLON": "XLON",
    "XETR": "XETR",
    "XPAR": "XPAR",
    "XAMS": "XAMS",
    "XSWX": "XSWX",
    "XMIL": "XMIL",
    "XMAD": "XMAD",
    "XTKS": "XTKS",
    "XHKG": "XHKG",
    "XSES": "XSES",
    "XASX": "XASX",
    "XKRX": "XKRX",
    "XEUR": "XEUR",
}


def mic_of(exchange: str) -> str:
    """Return the MIC of an exchange; its own name, without dots, when there is none in the table."""
    return MIC_OF.get(exchange, exchange.replace(".", "")) or "IB"

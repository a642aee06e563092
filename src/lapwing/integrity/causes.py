"""Why several lose their navigation: a posterior over causes from what became of everybody exposed. Axes: c regions.

Outcomes of exposed speakers are counted (fine, poorer, silent, false, gone). Under each cause the shares are uncertain,
so the counts are Dirichlet-multinomial, which allows for a footprint of any size; a faulty equipment hits one alone.
Signatures: reference notes on GNSS interference, section 2.3. Confusion matrix: bench/integrity_causes.py.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import gammaln

from lapwing.integrity.evidence import SPOOF_REASONS
from lapwing.integrity.navigation import Navigation
from lapwing.kernel import condition as kernel
from lapwing.records import Array, Claims, Condition, Field


class Outcome(IntEnum):
    """What became of one exposed speaker."""

    FINE = 0
    POORER = 1  # says itself that its position got worse or is gone
    SILENT = 2  # no position any more, and none of the messages that would say why
    FALSE = 3  # says what cannot be true
    GONE = 4  # not heard at all any more


@dataclass(frozen=True, slots=True)
class CauseSettings:
    """Dirichlet weights of (fine, poorer, silent, false, gone) per cause, and how common the causes are."""

    none: tuple[float, ...] = (60.0, 0.1, 0.1, 0.05, 1.0)
    jamming: tuple[float, ...] = (1.5, 1.5, 0.3, 0.06, 0.1)
    spoofing: tuple[float, ...] = (1.5, 0.5, 0.2, 1.5, 0.1)
    both: tuple[float, ...] = (0.7, 3.0, 0.3, 3.0, 0.1)  # neither is missing
    outage: tuple[float, ...] = (0.7, 0.05, 0.5, 0.02, 3.0)  # of everything
    deaf: tuple[float, ...] = (0.7, 0.05, 3.0, 0.02, 0.3)  # of what carries positions only
    # in the order of CAUSES; who is hit where nobody else is near has a fault more often than a jammer
    prior: tuple[float, ...] = (0.2, 0.25, 0.1, 0.05, 0.3, 0.1)
    gone_rate: float = 0.02  # share that leaves the receiver's reach meanwhile, where a single speaker is at fault
    faults_more: float = 0.03  # a second faulty speaker, given one
    kinds: tuple[float, float, float] = (0.5, 0.3, 0.2)  # of one fault: poorer, silent, false


def posterior(counts: Int64[Array, "c 5"], settings: CauseSettings) -> Float64[Array, "c 6"]:
    """Probabilities of CAUSES, given how many exposed speakers had each outcome."""
    n = counts.astype(np.float64)
    rows = [
        _dirichlet(n, np.array(alpha)) for alpha in (settings.none, settings.jamming, settings.spoofing, settings.both)
    ]
    outages = [_dirichlet(n, np.array(alpha)) - np.log(2.0) for alpha in (settings.outage, settings.deaf)]
    rows += [_faults(n, settings), np.logaddexp(*outages)]
    log_p = np.stack(rows, axis=1) + np.log(np.array(settings.prior))
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _dirichlet(n: Float64[Array, "c 5"], alpha: Float64[Array, "5"]) -> Float64[Array, " c"]:
    """log P of one particular assignment of outcomes with these counts."""
    total = alpha.sum()
    whole = gammaln(total) - gammaln(total + n.sum(axis=1))
    return np.asarray(whole + (gammaln(alpha + n) - gammaln(alpha)).sum(axis=1))


def _faults(n: Float64[Array, "c 5"], settings: CauseSettings) -> Float64[Array, " c"]:
    """The same where equipment is at fault: one speaker, seldom more, all others as they were."""
    hit = n[:, 1:4].sum(axis=1)
    staying = n.sum(axis=1) - n[:, 4]
    number = np.where(
        hit == 0, np.log(1e-6), np.log1p(-settings.faults_more) + (hit - 1) * np.log(settings.faults_more)
    )
    which = gammaln(staying + 1) - gammaln(hit + 1) - gammaln(staying - hit + 1)
    kinds = n[:, 1:4] @ np.log(np.array(settings.kinds))
    gone = n[:, 4] * np.log(settings.gone_rate) + staying * np.log1p(-settings.gone_rate)
    return np.asarray(number - which + kinds + gone)


def outcomes(
    navigation: Navigation, claims: Claims, since_ns: int, rows: Int64[Array, " k"], gone_s: float = 20.0
) -> Int64[Array, " k"]:
    """Outcome per claim at `rows` of an event that began at `since_ns`. What was false once since then stays so."""
    now, m = claims.time_ns, navigation.memory
    c, reason = navigation.condition[rows], m.reason[rows]
    told = np.zeros(len(rows), bool)
    for field in (Field.NIC, Field.NAC_P, Field.NAC_V, Field.NO_POSITION):
        said_ns = claims.said(field)[1][rows]
        told |= (said_ns > 0) & (now - said_ns < 10_000_000_000)
    ships = navigation.family[rows] > 0
    out = np.full(len(rows), Outcome.FINE, np.int64)
    lost = (c == Condition.LOST) & ~told & ~ships & (reason == kernel.SILENT)
    out[(c == Condition.DEGRADED) | (c == Condition.LOST)] = Outcome.POORER
    out[lost] = Outcome.SILENT
    false = (c == Condition.INCONSISTENT) & np.isin(reason, SPOOF_REASONS)
    out[false | (m.false_ns[rows] >= max(since_ns - 60_000_000_000, 1))] = Outcome.FALSE
    quiet = ~ships & (now - claims.heard_ns[rows] >= gone_s * 1e9) & (c != Condition.INCONSISTENT)
    out[quiet] = Outcome.GONE
    return out


def counted(outcome: Int64[Array, " k"]) -> Int64[Array, "1 5"]:
    """Number of exposed speakers per outcome."""
    return np.bincount(outcome, minlength=len(Outcome)).astype(np.int64)[None, :]

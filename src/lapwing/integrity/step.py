"""One step of integrity: claims and tracks in, a verdict per claim and per region out."""

from dataclasses import dataclass, field

import numpy as np

from lapwing.integrity import detection, trail
from lapwing.integrity.agreement import Agreement, AgreementSettings, agree
from lapwing.integrity.agreement import start as agreement_start
from lapwing.integrity.causes import CauseSettings
from lapwing.integrity.detection import DetectionSettings, Watch
from lapwing.integrity.evidence import NavigationSettings
from lapwing.integrity.interference import InterferenceSettings, affected, find, observe
from lapwing.integrity.navigation import Navigation, explain, judge
from lapwing.integrity.navigation import start as navigation_start
from lapwing.integrity.source import SourceSettings
from lapwing.integrity.sources import Seeking, next_sources
from lapwing.integrity.sources import start as sources_start
from lapwing.integrity.trail import Trail, TrailSettings, remember
from lapwing.records import Claims, Integrity, Interference, Tracks, no_interference


@dataclass(frozen=True, slots=True)
class IntegritySettings:
    """All settings of the room."""

    navigation: NavigationSettings = field(default_factory=NavigationSettings)
    detection: DetectionSettings = field(default_factory=DetectionSettings)
    interference: InterferenceSettings = field(default_factory=InterferenceSettings)
    causes: CauseSettings = field(default_factory=CauseSettings)
    trail: TrailSettings = field(default_factory=TrailSettings)
    source: SourceSettings = field(default_factory=SourceSettings)
    agreement: AgreementSettings = field(default_factory=AgreementSettings)


@dataclass(frozen=True, slots=True)
class IntegrityState:
    """What the room remembers between steps."""

    navigation: Navigation
    agreement: Agreement
    watch: Watch
    trail: Trail
    interference: Interference
    seeking: Seeking
    next_region: int


def start(settings: IntegritySettings) -> IntegrityState:
    """Nothing known."""
    return IntegrityState(
        navigation_start(settings.navigation),
        agreement_start(),
        detection.start(),
        trail.start(),
        no_interference(),
        sources_start(),
        1,
    )


def step(
    state: IntegrityState, claims: Claims, tracks: Tracks, settings: IntegritySettings
) -> tuple[IntegrityState, Integrity]:
    """The verdict at the claims' time. Normals are learned only while no interference is suspected."""
    navigation = judge(state.navigation, claims, len(state.interference) == 0, settings.navigation)
    watch = observe(state.watch, navigation, claims, (settings.detection, settings.navigation, settings.interference))
    of_regions = (settings.detection, settings.interference, settings.causes)
    regions, next_region = find(state.interference, state.next_region, navigation, claims, watch, of_regions)
    hit = affected(navigation, claims, settings.interference)
    path = remember(state.trail, navigation, claims, hit, settings.trail)
    seeking = next_sources(state.seeking, regions, path, claims.time_ns, (settings.trail, settings.source))
    agreement, track_id = agree(state.agreement, claims, navigation.family, tracks, settings.agreement)
    verdict = Integrity(
        np.array(navigation.condition),
        np.array(navigation.since_ns),
        explain(navigation, claims),
        np.array(navigation.good_east_m),
        np.array(navigation.good_north_m),
        np.array(navigation.good_ns),
        claims.frame_seq,
        track_id,
        regions,
        seeking.sources,
    )
    return IntegrityState(navigation, agreement, watch, path, regions, seeking, next_region), verdict

"""One step of integrity: claims and tracks in, a verdict per claim and per region out."""

from dataclasses import dataclass, field

from lapwing.integrity.agreement import Agreement, AgreementSettings, agree
from lapwing.integrity.agreement import start as agreement_start
from lapwing.integrity.detection import DetectionSettings, Watch
from lapwing.integrity.detection import start as detection_start
from lapwing.integrity.evidence import NavigationSettings
from lapwing.integrity.interference import InterferenceSettings, find, observe
from lapwing.integrity.navigation import Navigation, explain, judge
from lapwing.integrity.navigation import start as navigation_start
from lapwing.records import Claims, Integrity, Interference, Tracks
from lapwing.records.claims import no_interference


@dataclass(frozen=True, slots=True)
class IntegritySettings:
    """All settings of the room."""

    navigation: NavigationSettings = field(default_factory=NavigationSettings)
    detection: DetectionSettings = field(default_factory=DetectionSettings)
    interference: InterferenceSettings = field(default_factory=InterferenceSettings)
    agreement: AgreementSettings = field(default_factory=AgreementSettings)


@dataclass(frozen=True, slots=True)
class IntegrityState:
    """What the room remembers between steps."""

    navigation: Navigation
    agreement: Agreement
    watch: Watch
    interference: Interference
    next_region: int


def start(settings: IntegritySettings) -> IntegrityState:
    """Nothing known."""
    return IntegrityState(
        navigation_start(settings.navigation), agreement_start(), detection_start(), no_interference(), 1
    )


def step(
    state: IntegrityState, claims: Claims, tracks: Tracks, settings: IntegritySettings
) -> tuple[IntegrityState, Integrity]:
    """The verdict at the claims' time. Normals are learned only while no interference is suspected."""
    navigation = judge(state.navigation, claims, len(state.interference) == 0, settings.navigation)
    watch = observe(state.watch, navigation, claims, (settings.detection, settings.navigation, settings.interference))
    regions, next_region = find(
        state.interference, state.next_region, navigation, claims, watch, (settings.detection, settings.interference)
    )
    agreement, track_id = agree(state.agreement, claims, navigation.family, tracks, settings.agreement)
    verdict = Integrity(
        navigation.condition,
        navigation.since_ns,
        explain(navigation, claims),
        navigation.good_east_m,
        navigation.good_north_m,
        navigation.good_ns,
        claims.frame_seq,
        track_id,
        regions,
    )
    return IntegrityState(navigation, agreement, watch, regions, next_region), verdict

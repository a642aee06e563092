"""One step of integrity: claims and tracks in, a verdict per claim and per region out."""

from dataclasses import dataclass, field

import numpy as np

from lapwing.integrity import detection, ending, shapes, trail
from lapwing.integrity.agreement import Agreement, AgreementSettings, agree
from lapwing.integrity.agreement import start as agreement_start
from lapwing.integrity.ashore import Ring, ashore
from lapwing.integrity.causes import CauseSettings
from lapwing.integrity.detection import DetectionSettings, Watch
from lapwing.integrity.ending import Endings, EndingSettings, ended
from lapwing.integrity.evidence import NavigationSettings
from lapwing.integrity.interference import InterferenceSettings, affected, find, observe
from lapwing.integrity.navigation import Navigation, explain, family, judge
from lapwing.integrity.navigation import start as navigation_start
from lapwing.integrity.shapes import Shapes, ShapeSettings, shaped, standing
from lapwing.integrity.source import SourceSettings
from lapwing.integrity.sources import Seeking, next_sources
from lapwing.integrity.sources import start as sources_start
from lapwing.integrity.trail import Trail, TrailSettings, remember
from lapwing.kernel import condition as kernel
from lapwing.records import Claims, Integrity, Interference, Tracks, no_interference


@dataclass(frozen=True, slots=True)
class IntegritySettings:
    """All settings of the room."""

    navigation: NavigationSettings = field(default_factory=NavigationSettings)
    shapes: ShapeSettings = field(default_factory=ShapeSettings)
    detection: DetectionSettings = field(default_factory=DetectionSettings)
    interference: InterferenceSettings = field(default_factory=InterferenceSettings)
    ending: EndingSettings = field(default_factory=EndingSettings)
    causes: CauseSettings = field(default_factory=CauseSettings)
    trail: TrailSettings = field(default_factory=TrailSettings)
    source: SourceSettings = field(default_factory=SourceSettings)
    agreement: AgreementSettings = field(default_factory=AgreementSettings)
    no_ships: tuple[Ring, ...] = ()  # east and north, m: where no ship can be


@dataclass(frozen=True, slots=True)
class IntegrityState:
    """What the room remembers between steps."""

    navigation: Navigation
    shapes: Shapes
    agreement: Agreement
    watch: Watch
    trail: Trail
    interference: Interference
    endings: Endings
    seeking: Seeking
    next_region: int

    @property
    def nobody(self) -> bool:
        """Whether nobody has spoken, or all who did are forgotten: then time alone changes nothing."""
        remembered = (self.navigation.address, self.navigation.kept_key, self.shapes.key, self.trail.key)
        return len(self.interference) == 0 and not any(len(key) for key in remembered)


def start(settings: IntegritySettings) -> IntegrityState:
    """Nothing known."""
    return IntegrityState(
        navigation_start(settings.navigation),
        shapes.start(),
        agreement_start(),
        detection.start(),
        trail.start(),
        no_interference(),
        ending.start(),
        sources_start(),
        1,
    )


def _silence() -> Integrity:
    """The verdict where there are no claims."""
    i, f = np.zeros(0, np.int64), np.zeros(0)
    return Integrity(i, i, (), f, f, i, i, i, no_interference())


def step(
    state: IntegrityState, claims: Claims, tracks: Tracks, settings: IntegritySettings
) -> tuple[IntegrityState, Integrity]:
    """The verdict at the claims' time. Normals are learned only while no interference is suspected."""
    if not len(claims) and state.nobody:
        return state, _silence()
    book = family(claims.source)
    seen = shaped(state.shapes, claims, book, settings.shapes)
    magnet, circle = standing(seen, settings.shapes)
    shape = np.where(circle, kernel.CIRCLE, np.where(magnet, kernel.MAGNET, 0))
    placed = (claims.has_position > 0) & (claims.time_ns - claims.position_ns < settings.shapes.fresh_s * 1e9)
    shape[placed & ashore(claims.mean[:, :2], book, claims.address, settings.no_ships)] = kernel.ASHORE
    navigation = judge(state.navigation, claims, len(state.interference) == 0, settings.navigation, shape)
    watch = observe(state.watch, navigation, claims, (settings.detection, settings.navigation, settings.interference))
    of_regions = (settings.detection, settings.interference, settings.causes)
    regions, next_region = find(state.interference, state.next_region, navigation, claims, watch, of_regions)
    hit = affected(navigation, claims, settings.interference)
    endings, regions = ended((state.endings, state.interference), regions, navigation, claims, hit, settings.ending)
    path = remember(state.trail, navigation, claims, hit, settings.trail, next_region != state.next_region)
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
    after = IntegrityState(navigation, seen, agreement, watch, path, regions, endings, seeking, next_region)
    return after, verdict

"""One run of a site: runtime and web together, until told to stop; and the summary of what was seen."""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lapwing.engine.journal import JournalError
from lapwing.engine.plan import make_plan
from lapwing.records import CAUSES, Alarms, AlarmState, Picture, Priority, Site, Sources, TrackStatus
from lapwing.serve.accounts import AccountError, Accounts
from lapwing.serve.acts import ActError, Acts, acts_file
from lapwing.serve.links import Links
from lapwing.serve.listening import serve_web
from lapwing.serve.outputs.entries import secret
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.plan_files import PlanFileError
from lapwing.serve.postgres import Keeper, Past
from lapwing.serve.runtime import Runtime
from lapwing.serve.sapient_tasks import TaskDesk, TaskError, tasks_file
from lapwing.serve.site import SiteError, SiteFile
from lapwing.serve.site_plans import Plan, plans_of
from lapwing.serve.web import WebOptions, create_app
from lapwing.serve.web_config import ConfigDesk
from lapwing.serve.wire_text import word

log = logging.getLogger("lapwing")


@dataclass
class Summary:
    """What a run saw, for a person or a script."""

    name: str
    url: str = ""
    ticks: int = 0
    seconds: float = 0.0
    late_ticks: int = 0
    step_ms_mean: float = 0.0
    step_ms_max: float = 0.0
    cpu_share: float = 0.0  # of one core, between the first and the last tick
    frames: int = 0
    messages: int = 0
    faults: int = 0
    tracks: int = 0
    claims: int = 0
    alarms: list[dict[str, Any]] = field(default_factory=list)
    regions: list[dict[str, Any]] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)  # lines that the demo adds
    truth: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        out = asdict(self)
        del out["extra"]
        return out

    def text(self) -> str:
        """One screen."""
        ticks = f"{self.ticks} ticks ({self.late_ticks} late)"
        steps = f"step {self.step_ms_mean:.1f} ms mean, {self.step_ms_max:.0f} ms longest, cpu {self.cpu_share:.0%}"
        lines = [f"{self.name}: {self.seconds:.0f} s, {ticks}, {steps}"]
        lines.append(f"  picture       {self.url}")
        lines.append(f"  received      {self.messages} messages in {self.frames} frames, {self.faults} refused")
        lines.append(f"  at the end    {self.tracks} confirmed tracks, {self.claims} claims with a position")
        lines += [f"  {line}" for line in self.extra]
        lines.append(f"  alarms        {len(self.alarms)}" + ("" if self.alarms else " (none)"))
        for a in self.alarms[:8]:
            lines.append(f"    +{a['after_s']:6.1f} s  {a['priority']:8s} {a['rule']}: {a['reason']}"[:118])
        if len(self.alarms) > 8:
            lines.append(f"    and {len(self.alarms) - 8} more")
        lines.append(f"  interference  {len(self.regions)} region(s)" + ("" if self.regions else " (none found)"))
        for r in self.regions:
            lines.append(f"    +{r['after_s']:6.1f} s  {r['affected_max']} affected at most, p {r['p_value']:.0e}")
        return "\n".join(lines)


def _rings(s: Sources, row: int, share: float) -> list[list[list[float]]]:
    """The rings, [east, north] metres, of the region that holds one source with a probability of `share`."""
    mine = (s.ring_row == row) & (s.ring_share == share)
    each = [np.flatnonzero(mine & (s.ring_number == k)) for k in np.unique(s.ring_number[mine])]
    return [np.stack([s.ring_east_m[k], s.ring_north_m[k]], axis=1).tolist() for k in each]


class Observer:
    """Watches the pictures of a run for the summary. Times are seconds after the first picture."""

    def __init__(self) -> None:
        self.first_ns: int | None = None
        self.last: Picture | None = None
        self.alarms: dict[int, dict[str, Any]] = {}
        self.regions: dict[int, dict[str, Any]] = {}

    def _alarm(self, a: Alarms, i: int) -> None:
        """What an alarm was when it was raised and when it became more urgent, and its state now."""
        ident = int(a.alarm_id[i])
        if ident not in self.alarms:
            assert self.first_ns is not None
            self.alarms[ident] = {
                "alarm_id": ident,
                "rule": a.rule[i],
                "zone": a.zone[i],
                "subject_id": int(a.subject_id[i]),
                "priority": word(Priority, int(a.priority[i])),
                "raised_ns": int(a.raised_ns[i]),
                "after_s": (int(a.raised_ns[i]) - self.first_ns) * 1e-9,
                "east_m": float(a.east_m[i]),
                "north_m": float(a.north_m[i]),
                "reason": a.reason[i],
                "frame_seq": list(a.frame_seq[i]),
                "escalations": [],
            }
        row = self.alarms[ident]
        row["state"] = AlarmState(int(a.state[i])).name.lower()
        before = row["escalations"][-1]["priority"] if row["escalations"] else row["priority"]
        if word(Priority, int(a.priority[i])) != before:
            row["escalations"].append(
                {
                    "at_ns": int(a.updated_ns[i]),
                    "priority": word(Priority, int(a.priority[i])),
                    "subject_id": int(a.subject_id[i]),
                    "east_m": float(a.east_m[i]),
                    "north_m": float(a.north_m[i]),
                }
            )

    def see(self, picture: Picture) -> None:
        """The picture of one tick."""
        self.first_ns = picture.time_ns if self.first_ns is None else self.first_ns
        self.last = picture
        for i in range(len(picture.alarms)):
            self._alarm(picture.alarms, i)
        r = picture.integrity.interference
        for i in range(len(r)):
            ident = int(r.region_id[i])
            row = self.regions.setdefault(
                ident,
                {
                    "region_id": ident,
                    "since_ns": int(r.since_ns[i]),
                    "found_ns": picture.time_ns,
                    "after_s": (picture.time_ns - self.first_ns) * 1e-9,
                    "affected_max": 0,
                    "p_value": 1.0,
                },
            )
            row["affected_max"] = max(row["affected_max"], int(r.affected[i]))
            row["p_value"] = min(row["p_value"], float(r.p_value[i]))
            row["causes"] = dict(zip(CAUSES, r.causes[i].tolist(), strict=True))
        self._sources(picture.integrity.sources)

    def _sources(self, s: Sources) -> None:
        """Where the regions' sources may be, one or several each, as last said."""
        said: dict[int, list[dict[str, Any]]] = {}
        for i in range(len(s)):
            said.setdefault(int(s.region_id[i]), []).append(
                {
                    "unique": bool(s.unique[i]),
                    "east_m": float(s.east_m[i]),
                    "north_m": float(s.north_m[i]),
                    "sigma_m": float(s.sigma_m[i]),
                    "rings_50": _rings(s, i, 0.5),
                    "rings_90": _rings(s, i, 0.9),
                }
            )
        for ident in said.keys() & self.regions.keys():
            self.regions[ident]["sources"] = said[ident]

    def fill(self, summary: Summary, runtime: Runtime) -> None:
        """Write what was seen into a summary."""
        counts, last = runtime.counts, self.last
        summary.ticks, summary.late_ticks = counts.ticks, counts.late
        summary.step_ms_mean = 1000.0 * counts.step_s_total / max(counts.ticks, 1)
        summary.step_ms_max = 1000.0 * counts.step_s_max
        summary.cpu_share = counts.cpu_s / counts.wall_s if counts.wall_s > 0 else 0.0
        summary.alarms = sorted(self.alarms.values(), key=lambda a: a["alarm_id"])
        summary.regions = sorted(self.regions.values(), key=lambda r: r["region_id"])
        if last is not None:
            summary.seconds = (last.time_ns - (self.first_ns or 0)) * 1e-9
            summary.frames = sum(f.frames for f in last.feeds)
            summary.messages = sum(f.messages for f in last.feeds)
            summary.faults = sum(f.faults for f in last.feeds)
            summary.tracks = int((last.tracks.status != TrackStatus.TENTATIVE).sum())
            summary.claims = int((last.claims.has_position > 0).sum())


@dataclass(frozen=True)
class Wish:
    """How a site shall be run."""

    folder: Path  # of the journal
    port: int | None = None  # instead of the site file's
    for_s: float | None = None
    exit_at_end: bool = False  # of the recordings
    site_folder: Path = Path()  # what the outputs' file names are relative to
    config: ConfigDesk | None = None  # where the site file is changed


def operate(
    entry: SiteFile,
    text: str,
    site: Site,
    wish: Wish,
    observer: Observer | None = None,
    on_url: Callable[[str], None] | None = None,
) -> Summary:
    """Run until Ctrl-C, `for_s`, or the recordings' end; the summary. `text` is the site file as it was read."""
    return asyncio.run(_Run(entry, text, site, wish, observer or Observer(), on_url or _say).run())


def _say(url: str) -> None:
    log.info("live picture: %s", url)


@dataclass
class _Run:
    """One run: engine and web in one event loop."""

    entry: SiteFile
    text: str
    site: Site
    wish: Wish
    observer: Observer
    on_url: Callable[[str], None]

    async def run(self) -> Summary:
        limits = self.entry.journal
        mine = (self.text, self.wish.folder, limits.size_mib_max)
        runtime = Runtime(make_plan(self.site), *mine, keep_days=limits.history_days)
        runtime.witness = self.observer.see
        summary, stop = Summary(self.site.name), asyncio.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, stop.set)
        try:
            where = (self.wish.site_folder, self.wish.folder)
            acts, behind = self._acts(runtime), (runtime.shelf.frame, runtime.nodes.connected)
            outputs = Outputs(self.entry.output, self.site, *where, behind, acts)
            runtime.watchers.append(outputs.put)
            accounts = self._accounts()
            keeper = self._keeper(runtime, accounts)
            if keeper is not None:
                outputs.healths.append(keeper.health)
            links = Links(self.entry.site_link, self.wish.site_folder)
            web = await self._serve(runtime, summary, outputs, WebOptions(acts=acts, accounts=accounts, links=links))
            beside = [web, asyncio.create_task(outputs.run())]
            beside += [asyncio.create_task(keeper.run())] if keeper is not None else []
            beside += [asyncio.create_task(links.run())] if links else []
            await self._until_told(runtime, beside, stop)
        finally:
            runtime.journal.close()
        self.observer.fill(summary, runtime)
        return summary

    def _tasks(self, runtime: Runtime) -> TaskDesk | None:
        """Where orders to sensors are taken; None where people may not act or nobody can be ordered. Raises
        JournalError."""
        nodes = any(f.transport in ("sapient", "sapient-peer") for f in self.site.feeds)
        if not nodes or not self.entry.web.may_act():
            return None
        try:
            return TaskDesk(tasks_file(runtime.journal.folder), self.site, runtime.nodes)
        except TaskError as error:
            raise JournalError(str(error)) from error

    def _accounts(self) -> Accounts | None:
        """Who may open the page; None where everybody may. Raises JournalError."""
        if not self.entry.web.login:
            return None
        try:
            accounts = Accounts(self.wish.site_folder / self.entry.web.accounts)
        except AccountError as error:
            raise JournalError(str(error)) from error
        if not accounts.rows():
            log.warning("nobody can log in yet: lapwing users add SITE.toml NAME --role act")
        return accounts

    def _keeper(self, runtime: Runtime, accounts: Accounts | None) -> Keeper | None:
        """Who copies the past to a database; None where the site names none. Raises OSError: no password there."""
        entry, config = self.entry.history, self.wish.config
        if not entry.postgres:
            return None
        password = secret(entry.password, self.wish.site_folder)
        file = None if config is None else config.versions.site
        own = (runtime.history, runtime.alarms, acts_file(runtime.journal.folder))
        past = Past(self.site.name, *own, file, accounts, lambda: runtime.state.time_ns)
        keeper = Keeper(entry, password, past)
        runtime.history.older, runtime.alarms.older = keeper.older_paths, keeper.older_alarms
        return keeper

    def _acts(self, runtime: Runtime) -> Acts | None:
        """Where people's acts about alarms are kept; None where the site does not let them act. Raises JournalError."""
        if not self.entry.web.may_act():
            return None
        try:
            return Acts(acts_file(runtime.journal.folder))
        except ActError as error:
            raise JournalError(str(error)) from error

    def _plans(self) -> tuple[Plan, ...]:
        """The site's own plans. Raises SiteError where one is another file by now."""
        try:
            return plans_of(self.entry.plan, self.wish.site_folder)
        except PlanFileError as error:
            raise SiteError("site", [f"plan: {error}"]) from error

    async def _serve(
        self, runtime: Runtime, summary: Summary, outputs: Outputs, options: WebOptions
    ) -> asyncio.Task[None]:
        """The web server's task, listening. Raises WebAddressError."""
        host = self.entry.web.host
        wanted = self.entry.web.port if self.wish.port is None else self.wish.port
        started = asyncio.Event()

        def up(bound: int) -> None:
            shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
            summary.url = f"http://{shown}:{bound}/"
            self.on_url(summary.url)
            started.set()

        names, tasks = tuple(self.entry.web.names), self._tasks(runtime)
        options = replace(options, host=host, port=wanted, allowed_hosts=names, ringer=outputs, tasks=tasks)
        options = replace(options, nodes=runtime.nodes, timing=runtime.timing, journal=self.wish.folder)
        plans = await asyncio.to_thread(self._plans)  # half a gigabyte may be read and hashed
        options = replace(options, config=self.wish.config, plans=plans)
        app = create_app(runtime.shelf, self.site, options, outputs.rows)
        web = asyncio.create_task(serve_web(app, host, wanted, up))
        listening = asyncio.create_task(started.wait())
        await asyncio.wait([web, listening], return_when=asyncio.FIRST_COMPLETED)
        if web.done():
            listening.cancel()
            web.result()
        return web

    async def _until_told(self, runtime: Runtime, beside: list[asyncio.Task[None]], stop: asyncio.Event) -> None:
        """The engine, until told to stop or one of the tasks beside it ends."""
        engine = asyncio.create_task(runtime.run(stop))
        told = [asyncio.create_task(stop.wait())]
        if self.wish.config is not None:
            told.append(asyncio.create_task(self.wish.config.again.wait()))
        if self.wish.exit_at_end:
            told.append(asyncio.create_task(runtime.recorded_ended.wait()))
        await asyncio.wait([*told, engine, *beside], timeout=self.wish.for_s, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        try:
            await engine
        finally:
            for task in (*beside, *told):
                task.cancel()
            ends = await asyncio.gather(*beside, *told, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):  # what ended by itself ended everything: it must be seen why
                    log.error("ended by a failure", exc_info=end)
